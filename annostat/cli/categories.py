"""What commands share for labels that are categories or grades: options, reading, bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from annostat.cli.beside import beside
from annostat.cli.common import (
    RATINGS,
    add,
    each_stratum,
    of_strata,
    progress_bar,
    without,
)
from annostat.cli.shares import SHARE
from annostat.errors import AnnostatError, check_column, option

if TYPE_CHECKING:
    from annostat.labels.categories import Categories
    from annostat.labels.read import Read

KINDS = ("categories", "ordinal")
MOST_PANELS = 6  # classes whose reliability is drawn; the table has all
PUBLISHED = ("kappa", "f1", "agreement")


def category_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of labels that are categories or grades."""
    return add(
        command,
        click.option(
            "--kind",
            type=click.Choice(["auto", "values", *KINDS]),
            default="auto",
            show_default=True,
            help="What the labels are; auto: words are categories, numbers are values.",
        ),
        class_options,
        click.option(
            "--majority-of",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="M",
            help="Annotators whose majority is a test label (categories).",
        ),
        click.option("--kappa", type=float, metavar="X", help="Published κ, instead of ROUNDS."),
        click.option("--f1", type=SHARE, metavar="X", help="Published F1 of two annotators."),
        click.option("--agreement", type=SHARE, metavar="X", help="Published share of agreement."),
        click.option(
            "--classes",
            "n_classes",
            type=click.IntRange(min=2),
            default=2,
            show_default=True,
            metavar="K",
            help="Classes behind a published agreement.",
        ),
        click.option(
            "--prevalence", type=SHARE, metavar="X", help="Share of the positive class, published."
        ),
    )


def class_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what the classes are."""
    return add(
        command,
        click.option(
            "--order",
            metavar="A B ...",
            multiple=True,
            help="All grades, from the lowest to the highest.",
        ),
        click.option(
            "--positive",
            metavar="A,B",
            help="Classes that count as positive; the labels become two classes.",
        ),
        click.option("--counts", is_flag=True, help="Columns are classes, cells count labels."),
    )


def is_of_categories(options: dict[str, Any]) -> bool:
    """Return whether the options speak of categories or grades, or the labels can only be such."""
    said = options["kind"] in KINDS or options["order"] or options["positive"] or options["counts"]
    published = any(options.get(name) is not None for name in PUBLISHED)
    majority = options.get("majority_of", 1) > 1
    if said or published or options["example"] in RATINGS or majority:
        return True
    return options["kind"] == "auto" and are_words(options)


def are_words(options: dict[str, Any]) -> bool:
    """Return whether the labels of the table can only be categories, by its first rows."""
    if not options["source"]:
        return False
    from annostat.tables.peek import holds_words

    return holds_words(
        options["source"],
        rounds=options["rounds"],
        value=options["value"],
        missing=options["missing"],
    )


def load_categories(options: dict[str, Any]) -> Categories:
    """Read the labels that the options name, models among them."""
    if options["kind"] == "values":
        raise AnnostatError(f"{option('kind', 'values')} does not go with options of categories")
    if options["example"]:
        return _example(options)
    if not options["source"]:
        raise AnnostatError("no input: give a table of labels, or --example lidc-malignancy")
    from annostat.tables.reading import read_categories

    labels = read_categories(
        options["source"],
        item=options["item"] or None,
        rounds=list(options["rounds"]) or None,
        rater=options["rater"],
        value=options["value"],
        models=options["models"],
        by=options["by"],
        cluster=options["cluster"],
        missing=options["missing"],
        tidy_names=options["tidy_names"],
        order=list(options["order"]) or None,
        ordinal=options["kind"] == "ordinal",
        counts=options["counts"],
        exchangeable=options["exchangeable"],
    )
    return without(labels, options["exclude"]) if options["exclude"] else labels


def _example(options: dict[str, Any]) -> Categories:
    from annostat.datasets import lidc_ratings, vader

    if options["source"]:
        raise AnnostatError("give either ROUNDS or --example, not both")
    name = options["example"]
    if name not in RATINGS:
        raise AnnostatError(f"--example {name} holds no categories: take {', '.join(RATINGS)}")
    labels = vader() if name == "vader" else lidc_ratings(name.removeprefix("lidc-"), readings=4)
    if labels.read is None:
        return labels
    told = f"{labels.n_classes} grades: {', '.join(labels.classes)}."
    return replace(labels, read=replace(labels.read, notes=(told,)))


def category_results(options: dict[str, Any], labels: Categories) -> dict[str, Any]:
    """Return the bounds of each stratum of labels, models left out."""
    from annostat.ceilings import category_bounds

    def compute(name: str, part: Categories) -> Any:
        with progress_bar(name or "bounds"):
            return category_bounds(
                part,
                positive=positive_of(options),
                majority_of=options.get("majority_of", 1),
                level=options["level"],
                rng=options["seed"],
            )

    return each_stratum(labels.of_annotators().strata().items(), compute, options["by"])


def draw_categories(results: dict[str, Any], labels: Categories, options: dict[str, Any]) -> None:
    """Draw the ceilings, who confuses what and, of two classes, how clear the items are."""
    from annostat.ceilings import category_law
    from annostat.plotting import (
        plot_category_bounds,
        plot_category_law,
        plot_confusion,
        save_figure,
    )
    from annostat.plotting.figures import side_by_side

    parts = labels.of_annotators().strata()
    for name, target in of_strata(options["plot_file"], results).items():
        result = results[name]
        draw: list[tuple[Callable[..., Any], Any]] = [(plot_category_bounds, result)]
        if result.confusion is not None:
            draw.append((plot_confusion, result.confusion))
        if len(result.classes) == 2:
            about = {"level": options["level"], "rng": options["seed"]}
            law = category_law(parts[name], positive=positive_of(options), **about)
            draw.append((plot_category_law, law))
        save_figure(side_by_side(draw), target)


def draw_scores(results: dict[str, Any], path: str) -> None:
    """Draw the scores of models and, where they give probabilities, their reliability."""
    from annostat.plotting import plot_category_scores, plot_reliability, save_figure
    from annostat.plotting.figures import side_by_side

    for name, target in of_strata(path, results).items():
        draw: list[tuple[Callable[..., Any], Any]] = [(plot_category_scores, results[name])]
        classes = dict.fromkeys(c.of_class for m in results[name].models for c in m.calibration)
        for of_class in [*classes][:MOST_PANELS]:
            draw.append((partial(plot_reliability, of_class=of_class), results[name]))
        save_figure(side_by_side(draw), target)


def scored_categories(options: dict[str, Any]) -> tuple[dict[str, Any], Read | None]:
    """Read labels and models, and return the scores of each stratum, and what was read."""
    from annostat.tables.files import local

    if not options["source"]:
        labels = load_categories(options)
        return score_results(options, labels), labels.read
    # Labels and probabilities are read from one table, which may come through a pipe.
    with local(options["source"]) as place:
        here = {**options, "source": os.fspath(place)}
        labels = load_categories(here)
        return score_results(here, labels), labels.read


def score_results(options: dict[str, Any], labels: Categories) -> dict[str, Any]:
    """Return the scores of the models of each stratum of labels."""
    from annostat.truth import score_categories

    models = list(labels.models)
    proba = probabilities(options, labels)
    if options["prediction_files"]:
        raise AnnostatError("predictions of categories stand in the table of the labels: --model")
    if not models and not proba:
        raise AnnostatError("no model: name its column by --model, or its probabilities by --proba")

    def compute(name: str, part: Categories) -> Any:
        inside = np.ones(len(labels.codes), dtype=bool)
        if labels.stratum is not None:
            inside = labels.stratum == name
        hard = {m: part.answers(m) for m in models}
        with progress_bar(name or "scores"):
            return score_categories(
                part.of_annotators(),
                hard,
                proba={name: f[inside] for name, f in proba.items()},
                positive=positive_of(options),
                metric=options["metric"],
                level=options["level"],
                rng=options["seed"],
            )

    return each_stratum(labels.strata().items(), compute, options["by"])


def probabilities(options: dict[str, Any], labels: Categories) -> dict[str, Any]:
    """Return the probabilities of models: columns of the labels' table, one for each class."""
    if not options["proba"]:
        return {}
    from annostat.labels.columns import RowNames, as_names, as_numbers
    from annostat.tables.reading import read_table

    if labels.read is None or labels.items is None or not options["source"]:
        raise AnnostatError("--proba needs a table with a row for each item")
    table = read_table(options["source"], keep_text=list(labels.read.item))
    if options["rater"] or (len(table) != len(labels.items) and not options["exclude"]):
        raise AnnostatError("--proba needs a table with a row for each item")
    found = {}
    for text in options["proba"]:
        name, _, columns = text.partition("=")
        names = [c.strip() for c in (columns or name).split(",")]
        for column in names:
            check_column("--proba", column, [str(c) for c in table.columns])
        rows = RowNames(np.arange(len(table)))
        values = np.column_stack([as_numbers(table[c], c, rows) for c in names])
        items = as_names(table, labels.read.item) if labels.read.item else labels.items
        place = {str(item): i for i, item in enumerate(items)}
        values = values[[place[str(item)] for item in labels.items]]
        found[name] = _by_class(name, names, values, labels.of_annotators(), options)
    return found


def _by_class(
    name: str, columns: list[str], values: Any, labels: Categories, options: dict[str, Any]
) -> Any:
    """Return columns of probabilities in the order of the classes, by their names or as typed."""
    from annostat.truth.category_proba import places_of_classes

    classes = labels.classes
    place = places_of_classes(columns, classes)
    if len(columns) > 1:
        if len(columns) != len(classes):
            return values  # refused where shapes are looked at
        if place is None:
            told = ", ".join(f"{c} of {k}" for c, k in zip(columns, classes, strict=True))
            beside(f"probabilities of {name} are taken as {told}")
            return values
        return values[:, np.argsort(place)]
    one = values[:, 0]
    named_first = place == [0] and len(classes) == 2 and not options["positive"]
    return 1 - one if named_first else one


def positive_of(options: dict[str, Any]) -> list[str] | None:
    """Return the classes that count as positive."""
    if not options["positive"]:
        return None
    return [part.strip() for part in options["positive"].split(",")]


def published_result(options: dict[str, Any]) -> Any:
    """Return the bounds that published numbers give, None if none were given."""
    if all(options[name] is None for name in PUBLISHED):
        return None
    if options["source"] or options["example"]:
        raise AnnostatError("give either ROUNDS (or --example) or published numbers, not both")
    if options["plot_file"]:
        raise AnnostatError("--plot needs labels: published numbers have none to draw")
    from annostat.ceilings import published_categories

    return published_categories(
        kappa=options["kappa"],
        f1=options["f1"],
        agreement=options["agreement"],
        n=options["n"],
        n_classes=options["n_classes"],
        prevalence=options["prevalence"],
        level=options["level"],
    )
