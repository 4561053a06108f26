"""Points and findings in an annotator's place: the options of their tables, and how these load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from annostat.cli.beside import beside
from annostat.cli.common import add, each_stratum, progress_bar, without
from annostat.cli.points import listed, numbers_of, spacing_of
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.interchange import Interchange
    from annostat.labels.findings import Findings
    from annostat.labels.points import Points
    from annostat.labels.read import Read

EXAMPLES = {"lidc-centres": "points", "lidc-findings": "findings"}
ALL = "all landmarks"
SHUFFLE = 0  # seed of the order of readings in the examples


def mark_options(command: Any) -> Any:
    """Add the options of points and findings; the others are those of tables."""
    return add(
        command,
        click.option(
            "--kind",
            type=click.Choice(("auto", "points", "findings")),
            default="auto",
            show_default=True,
            help="Long tables: what a row is; auto: a number, or a category.",
        ),
        click.option("--landmark", metavar="C", help="Points: column of the landmark."),
        click.option("--coordinates", metavar="X,Y[,Z]", help="Points: their columns."),
        click.option("--size", metavar="W,H[,D]", help="Points: size of the images."),
        click.option(
            "--match",
            metavar="RULE",
            help="Findings: when marks are one: 'iou 0.5', 'overlap 0.2', 'distance 5'.",
        ),
        click.option("--seen", metavar="FILE", help="Findings: images that readers saw."),
        click.option("--geometry", metavar="C,C...", help="Findings: columns of the marks."),
        click.option("--sizes", is_flag=True, help="Findings: --geometry ends in a size."),
        click.option("--classes", metavar="C", help="Findings: column of the class."),
    )


def kind_of_marks(options: dict[str, Any]) -> str:
    """Return "points", "findings", or "" for other labels."""
    kind = EXAMPLES.get(options["example"] or "", "")
    asked = options["kind"]
    if asked == "auto":
        return kind
    if options["example"] and asked != kind:
        raise AnnostatError(f"--example {options['example']} holds no {asked}: leave out --kind")
    return str(asked)


def of_marks(
    kind: str, options: dict[str, Any], said: dict[str, Any]
) -> tuple[dict[str, Interchange], str, Read | None]:
    """Return the result of each stratum, or landmark, what these are, and what was read."""
    from annostat.interchange import interchange as measure

    refuse_others(kind, options)
    labels: Any
    predictions: Any = None
    if options["example"]:
        if options["source"] or options["models"] or options["prediction_files"]:
            raise AnnostatError(
                "--example has its own labels and models: leave out ROUNDS and --model"
            )
        labels, predictions = held_out(options["example"])
        if kind == "findings" and options["match"] is None:
            from annostat.datasets.marks import SAME_NODULE

            options["match"] = f"distance {SAME_NODULE:g}"
    else:
        labels = load(kind, options)
    if kind == "findings":
        said = {**said, "match": options["match"]}

    def compute(name: str, part: tuple[Any, Any]) -> Any:
        with progress_bar(name or "interchange") as progress:
            return measure(part[0], part[1], progress=progress, **said)

    by = options["by"]
    if kind == "points" and by and by == landmark_of(options):
        if len(labels.landmarks) == 1:
            raise AnnostatError(f"--by {by}: there is one landmark only")
        parts = by_landmark(labels, predictions)
    else:
        parts = ((n, (part, predictions)) for n, part in labels.strata().items())
    return each_stratum(parts, compute, by), by or "", labels.read


def by_landmark(points: Points, models: Points | None) -> Iterator[tuple[str, Any]]:
    """Yield the points of all landmarks, and of each."""
    yield ALL, (points, models)
    for name in points.landmarks:
        yield name, (points.landmark(name), None if models is None else models.landmark(name))


def landmark_of(options: dict[str, Any]) -> str:
    """Return the column of the landmark, as `--by` may name it."""
    return str(options["landmark"] or "landmark")


def load(kind: str, options: dict[str, Any]) -> Points | Findings:
    """Read marks of readers and models from one table, or models from files of their own."""
    from annostat.labels.findings import Findings
    from annostat.labels.points import Points
    from annostat.tables.mark_predictions import with_models
    from annostat.tables.reading import read_table

    if not options["source"]:
        raise AnnostatError(f"no input: give a table of {kind}, or --example")
    if not (options["models"] or options["prediction_files"]):
        raise AnnostatError(
            "no model: name the reader that is one by --model, or its file by --predictions"
        )
    item, by = list(options["item"]), options["by"]
    per_landmark = kind == "points" and by == landmark_of(options)
    about = [options["landmark"], options["classes"], options["cluster"], by]
    table, models, name, notes, words = with_models(
        options["source"],
        options["prediction_files"],
        item=item,
        rater=options["rater"],
        models=options["models"],
        keep_text=[c for c in about if c],
        axes=lambda columns: axes_of(kind, options, columns),
    )
    for text in words:
        beside(text)
    shared: dict[str, Any] = {
        "item": item or None,
        "rater": options["rater"],
        "rounds": list(options["rounds"]) or None,
        "models": models,
        "by": None if per_landmark else by,
        "cluster": options["cluster"],
        "missing": options["missing"],
        "exchangeable": options["exchangeable"],
        "source": name,
        "notes": notes,
    }
    found: Any
    if kind == "points":
        found = Points.from_frame(
            table,
            landmark=options["landmark"],
            coordinates=listed(options["coordinates"]),
            spacing=spacing_of(options["spacing"]),
            size=numbers_of("--size", options["size"]),
            unit=options["unit"],
            **shared,
        )
    else:
        seen = options["seen"]
        if seen is not None:
            seen = read_table(seen, keep_text=[c for c in (*item, options["rater"]) if c])
        found = Findings.from_frame(
            table,
            geometry=listed(options["geometry"]),
            size=True if options["sizes"] else None,
            classes=options["classes"],
            seen=seen,
            **shared,
        )
    labels: Points | Findings = without(found, options["exclude"]) if options["exclude"] else found
    return labels


def axes_of(kind: str, options: dict[str, Any], columns: Sequence[str]) -> Sequence[str]:
    """Return the columns of the marks."""
    if kind == "points":
        from annostat.labels import point_columns

        return point_columns.axes_of(listed(options["coordinates"]), columns)
    from annostat.labels.finding_shapes import shape_of

    return shape_of(None, listed(options["geometry"]), None, columns)[1]


def held_out(example: str) -> tuple[Any, Any]:
    """Return bundled marks of four readers: two or three are labels, the others play models."""
    from annostat.datasets import lidc_centres, lidc_findings

    if example == "lidc-findings":  # its readings are dealt to columns at random
        four = lidc_findings()
        people, models = four.choose(four.names[:3]), four.choose(four.names[3:])
        models = replace(models, names=("one reader",), read=None)
        return _told(people, models.names, FINDINGS_NOTE), models
    import numpy as np

    centres = lidc_centres()
    order = np.tile(np.arange(4), (len(centres.values), 1))
    order = np.random.default_rng(SHUFFLE).permuted(order, axis=1)
    values = centres.values[np.arange(len(order))[:, None], order]
    third, fourth = values[:, 2:3], values[:, 3:]
    held = np.concatenate([third, (third + fourth) / 2], axis=1)
    points = replace(centres, values=held, names=("one reader", "mean of two readers"), read=None)
    two = replace(centres, values=values[:, :2], names=centres.names[:2])
    return _told(two, points.names, POINTS_NOTE), points


def _told(labels: Any, models: tuple[str, ...], note: str) -> Any:
    read = replace(labels.read, rounds=labels.names, models=models)
    return replace(labels, notes=(note,), read=read)


OF_KIND = {
    "points": ("landmark", "coordinates", "size", "spacing"),
    "findings": ("match", "seen", "geometry", "sizes", "classes"),
    "masks": ("raters", "labels", "patients", "spacing"),
    "numbers": ("value", "period", "fps", "length"),
}


def refuse_others(kind: str, options: dict[str, Any]) -> None:
    """Refuse options of other kinds of labels."""
    for other, names in OF_KIND.items():
        given = [n for n in names if n not in OF_KIND[kind] and options.get(n)]
        if given:
            raise AnnostatError(f"--{given[0]} is of {other}, but these are {kind}")


POINTS_NOTE = (
    "There is no model in these data: of the four readings of each nodule, in random order, two "
    "are the labels, and the two others are held out and play models, one alone and the mean of "
    "both."
)
FINDINGS_NOTE = (
    "There is no model in these data: of the four readings, in random order, three are the labels, "
    "and the fourth is held out and plays a model."
)
