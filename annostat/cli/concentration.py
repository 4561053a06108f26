"""`annostat concentration`: where a model's error sits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annostat.cli.categories import class_options
from annostat.cli.command import Command
from annostat.cli.common import (
    add,
    cluster_option,
    exclude_option,
    item_option,
    json_option,
    missing_option,
    progress_bar,
    publish,
    rows_left,
    run_options,
    screen_options,
)
from annostat.cli.pages import report_option, write_page
from annostat.cli.shares import INSIDE
from annostat.errors import AnnostatError, check_column, option

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from annostat.arrays import FloatArray
    from annostat.labels.read import Read

FAR = 3.0  # SD from 0 at which a mean is hardly one of errors
SHAPES = ("gaussian", "laplace", "uniform")


def concentration_options(command: Any) -> Any:
    """Add the options of this command."""
    return add(
        run_options(command),
        click.argument("source", metavar="ERRORS", required=False),
        click.option(
            "--example",
            type=click.Choice(["lidc"]),
            help="Bundled readings: a third reader plays the model.",
        ),
        click.option(
            "--column",
            "columns",
            metavar="C",
            multiple=True,
            help="Column of a model's errors against one annotation; may be repeated.",
        ),
        click.option(
            "--model",
            "models",
            metavar="C ...",
            multiple=True,
            help="Columns of models' values, with --rounds: errors are those against the "
            "first round, and an exact test against both is added.",
        ),
        click.option(
            "--loss",
            type=click.Choice(["squared", "absolute", "asis"]),
            default="squared",
            show_default=True,
            help="What is shared out; asis: the column is a loss already.",
        ),
        click.option(
            "--rounds",
            "rounds",
            metavar="A B",
            multiple=True,
            help="Two annotations of these items, for the null of noise.",
        ),
        click.option(
            "--noise",
            metavar="FIT.json|NAME",
            help="The null from other items: the JSON of fit-afd, or an assumed shape "
            "(gaussian, laplace, uniform).",
        ),
        click.option(
            "--top",
            type=INSIDE,
            default="15%",
            show_default=True,
            metavar="P",
            help="The worst part that is looked at: 15% or 0.15.",
        ),
        item_option,
        cluster_option,
        missing_option,
        exclude_option,
        click.option("--weights", metavar="C", help="Column of the items' weights."),
        click.option(
            "--list",
            "lists",
            metavar="FILE",
            multiple=True,
            help="Items (first column) whose overlap with the worst is tested.",
        ),
        click.option(
            "--resamples",
            type=click.IntRange(min=19),
            metavar="N",
            help="Simulated sets of noise (499; 2,000 for an assumed shape).",
        ),
        click.option(
            "--kind",
            type=click.Choice(["values", "categories", "ordinal"]),
            default="values",
            show_default=True,
            help="What the labels are; of categories the disagreement is shared out.",
        ),
        class_options,
        json_option,
        click.option(
            "--plot",
            "plot_file",
            metavar="FILE",
            help="Draw the curve over the band of noise (png, svg, pdf).",
        ),
        click.option("--best-first", is_flag=True, help="Draw from the best item to the worst."),
    )


@click.command("concentration", cls=Command)
@screen_options
@concentration_options
@report_option
def concentration(**options: Any) -> None:
    """Say on which items a model's error sits, and whether noise alone would do that.

    ERRORS is a table (CSV, TSV, Parquet): one row per item, a column with the model's error
    against one annotation.
    """
    if options["kind"] != "values" or options["order"] or options["positive"] or options["counts"]:
        of_categories(options)
        return
    from annostat.concentration import compare_concentration
    from annostat.concentration import concentration as concentration_of
    from annostat.labels.columns import canonical_order
    from annostat.labels.rounds import Rounds

    table = example(options) if options["example"] else read(options)
    columns = list(dict.fromkeys(options["columns"]))
    known = [str(c) for c in table.columns]
    models = list(dict.fromkeys(options["models"]))
    numeric = [
        *columns,
        *models,
        *options["rounds"],
        *([options["weights"]] if options["weights"] else []),
    ]
    for flag, names in (
        ("--column", columns),
        ("--model", models),
        ("--rounds", options["rounds"]),
    ):
        for name in names:
            check_column(flag, name, known)
    for name in options["item"]:
        check_column("--item", name, known)
    for flag in ("cluster", "weights"):
        if options[flag] is not None:
            check_column(f"--{flag}", options[flag], known)
    if not columns and not models:
        raise AnnostatError(
            "--column must name a column of errors, or --model one of a model's values"
        )
    if models and not options["rounds"]:
        raise AnnostatError("--model needs --rounds, the labels that the model is held against")
    if set(columns) & set(models):
        raise AnnostatError("a column is either errors (--column) or a model's values (--model)")
    if options["rounds"] and len(options["rounds"]) != 2:
        raise AnnostatError(f"--rounds needs two columns, got {len(options['rounds'])}")
    item = options["item"] or item_column(table, numeric, options["cluster"])
    items = identifiers(table, item) if item else None
    before = len(table)
    if options["exclude"]:
        if items is None:
            raise AnnostatError(
                "--exclude needs the names of the items: give their column (--item)"
            )
        left = rows_left(items, options["exclude"])
        table, items = table.iloc[left].reset_index(drop=True), items[left]
    if items is not None:  # what is drawn at random does not depend on the order of rows
        order = canonical_order(items)
        table, items = table.iloc[order].reset_index(drop=True), items[order]
    number = {c: numbers(table, c, options["missing"]) for c in dict.fromkeys(numeric)}
    rounds = None
    if options["rounds"]:
        pair = [number[c] for c in options["rounds"]]
        rounds = Rounds.from_array(
            list(zip(*pair, strict=True)),
            names=options["rounds"],
            cluster=table[options["cluster"]] if options["cluster"] else None,
            exchangeable=bool(options["example"]),
        )
    common = {
        "loss": options["loss"],
        "noise": noise_of(options["noise"]),
        "rounds": rounds,
        "top": options["top"],
        "weights": number[options["weights"]] if options["weights"] else None,
        "cluster": table[options["cluster"]].to_numpy() if options["cluster"] else None,
        "items": items,
        "lists": {Path(f).stem: members(f, items) for f in options["lists"]},
        "level": options["level"],
        "n_resamples": options["resamples"],
        "rng": options["seed"],
        "n_jobs": options["n_jobs"],
    }
    predictions = {c: number[c] for c in models}
    errors = {c: number[c] for c in columns}
    errors |= {c: x - number[options["rounds"][0]] for c, x in predictions.items()}
    with progress_bar("noise") as progress:
        result: Any
        if len(errors) == 1:
            ((name, values),) = errors.items()
            result = concentration_of(
                values, name=name, predictions=predictions.get(name), progress=progress, **common
            )
        else:
            result = compare_concentration(
                errors, predictions=predictions, progress=progress, **common
            )
    show(result, options, record(table, before, item, options, errors))


def of_categories(options: dict[str, Any]) -> None:
    """Share out the disagreement of annotators, or that of a model with them."""
    from annostat.cli.categories import load_categories, positive_of
    from annostat.concentration import category_concentration

    given = {"column": "columns", "noise": "noise", "weights": "weights", "list": "lists"}
    wrong = [f"--{flag}" for flag, key in given.items() if options[key]]
    if wrong or len(options["models"]) > 1:
        what = wrong[0] if wrong else "more than one --model"
        raise AnnostatError(f"{what} does not go with categories: give --rounds, and one --model")
    absent = {"rater": None, "value": None, "by": None, "tidy_names": False, "exchangeable": False}
    kind = "ordinal" if options["kind"] == "ordinal" else "categories"
    labels = load_categories({**absent, **options, "kind": kind, "example": None})
    models, positive = labels.models, positive_of(options)
    base = labels if positive is None else labels.binary(positive)
    predictions = None
    if models:
        predictions = base.answers(models[0])
    result = category_concentration(
        base.of_annotators(),
        predictions,
        top=options["top"],
        name=models[0] if models else "",
        level=options["level"],
        n_resamples=options["resamples"] or 499,
        rng=options["seed"],
    )
    show(result, options, labels.read)


def show(result: Any, options: dict[str, Any], read: Read | None) -> None:
    """Write the picture and the page, if they were asked for, and print the result."""
    if options["plot_file"]:
        from annostat.plotting import plot_concentration, save_figure
        from annostat.plotting.figures import new_figure

        figure, ax = new_figure((6.4, 4.8))
        plot_concentration(result, best_first=options["best_first"], ax=ax)
        save_figure(figure, options["plot_file"])
    ctx = click.get_current_context()
    write_page(ctx, options["report_file"], {"": result}, read, "Where the error sits")
    publish({"": result}, options, by=None, read=read)


def read(options: dict[str, Any]) -> pd.DataFrame:
    """Return the table of errors."""
    from annostat.tables.reading import read_table

    if not options["source"]:
        raise AnnostatError("no input: give a table of errors, or --example lidc")
    text = [c for c in (*options["item"], options["cluster"]) if c]
    table: pd.DataFrame = read_table(options["source"], keep_text=text).rename(columns=str)
    if table.empty:
        raise AnnostatError(f"{Path(options['source']).name} has no rows")
    return table


def example(options: dict[str, Any]) -> pd.DataFrame:
    """Return the nodules that four radiologists read; the third one plays the model."""
    from annostat.datasets import lidc

    if options["source"]:
        raise AnnostatError("give either ERRORS or --example, not both")
    rounds = lidc("largest_slice")
    frame: pd.DataFrame = rounds.to_frame()
    frame = frame.loc[rounds.readings == 4].reset_index(drop=True)
    frame["reader_3"] = frame["reading_3"] - frame["reading_1"]
    if not options["columns"] and not options["models"]:
        without = options["noise"] or options["loss"] == "asis"
        options["columns" if without else "models"] = ("reader_3" if without else "reading_3",)
    options["item"] = options["item"] or ("item",)
    options["cluster"] = options["cluster"] or "cluster"
    if not options["rounds"] and not options["noise"] and options["loss"] != "asis":
        options["rounds"] = ("reading_1", "reading_2")
    return frame


def record(
    table: pd.DataFrame,
    before: int,
    item: Sequence[str],
    options: dict[str, Any],
    errors: dict[str, FloatArray],
) -> Read:
    """Return what was read."""
    from annostat.labels.read import Read
    from annostat.tables.files import name_of

    columns = [*dict.fromkeys([*options["columns"], *options["models"]])]
    used = {*columns, *options["rounds"], *item, options["cluster"], options["weights"]}
    cluster = options["cluster"]
    left = before - len(table)
    return Read(
        name_of(options["source"]) if options["source"] else f"example {options['example']}",
        before,
        tuple(item),
        tuple(options["rounds"]),
        tuple(columns),
        cluster or "",
        table[cluster].nunique() if cluster else 0,
        unused=tuple(str(c) for c in table.columns if c not in used),
        left_out={"excluded": left} if left else {},
        notes=_no_errors(errors, options),
    )


def _no_errors(errors: dict[str, FloatArray], options: dict[str, Any]) -> tuple[str, ...]:
    """Return a note on columns of errors that look like a model's values: none is near 0."""
    import numpy as np

    if options["loss"] == "asis":
        return ()
    notes = []
    for name in dict.fromkeys(options["columns"]):
        x = errors[name][np.isfinite(errors[name])]
        if x.size > 1 and abs(x.mean()) > FAR * x.std(ddof=1):
            notes.append(
                f"{name} lies between {x.min():g} and {x.max():g}, far from 0: if these are a "
                f"model's values and no errors, say {option('model', name)} "
                f"{option('rounds', 'A', 'B')}."
            )
    return tuple(notes)


def item_column(table: pd.DataFrame, numeric: list[str], cluster: str | None) -> tuple[str, ...]:
    """Return the column that tells items apart by its name, or the first text that does.

    A column that is called like one and names items twice is asked about, as other commands do.
    """
    from annostat.labels.looks import is_item_name, look_of

    others = [str(c) for c in table.columns if c not in numeric and c != cluster]
    known = [c for c in others if is_item_name(c)]
    text = [c for c in others if look_of(table[c]) == "identifier"]
    found = tuple([c for c in (*known, *text) if table[c].is_unique][:1])
    if known and not found and cluster is None:
        raise AnnostatError(
            f"column {known[0]!r} names some items twice: name the columns that tell them apart "
            f"({option('item', 'C')}), or say that its rows belong together "
            f"({option('cluster', known[0])})"
        )
    return found


def identifiers(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[Any]:
    """Return the items' names; a name that stands twice is refused."""
    from annostat.labels.columns import as_names

    names = as_names(table, columns)
    if len(set(names)) < len(names):
        column = ", ".join(columns)
        raise AnnostatError(f"column {column!r} names some items twice")
    return names


def numbers(table: pd.DataFrame, column: str, missing: tuple[str, ...] = ()) -> FloatArray:
    """Return a column as numbers; text is refused."""
    import numpy as np

    from annostat.labels.columns import RowNames, as_numbers

    return as_numbers(table[column], column, RowNames(np.arange(len(table))), missing)


def noise_of(text: str | None) -> Any:
    """Return an assumed shape, or the JSON object of a fit."""
    if text is None or text in SHAPES:
        return text
    path = Path(text)
    if not path.is_file():
        raise AnnostatError(
            f"--noise must be a file of `annostat fit-afd --json`, or {', '.join(SHAPES)}; "
            f"there is no file {text!r}"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnnostatError(f"--noise: {path.name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise AnnostatError(f"--noise: {path.name} is not the JSON of `annostat fit-afd`")
    return found


def members(path: str, items: Any) -> Any:
    """Return which items a list names: the first column of a table."""
    from annostat.concentration.lists import listed
    from annostat.tables.reading import read_table

    if items is None:
        raise AnnostatError("--list needs the names of the items: give their column (--item)")
    table = read_table(path)
    table = read_table(path, keep_text=[str(table.columns[0])])
    return listed(items, table.iloc[:, 0].dropna(), Path(path).name)
