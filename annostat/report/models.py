"""Chapters on models: scored against labels and against the truth."""

from __future__ import annotations

from annostat.report.parts import WORST, Part, Picture, part_of
from annostat.results.sections import Section
from annostat.truth import Scores
from annostat.truth.words import FEW


@part_of.register
def _scores(result: Scores) -> Part:
    from annostat.plotting import plot_bland_altman, plot_ranks, plot_rmse_floor

    unit = result.rounds.unit
    pictures = [
        Picture.of(
            plot_rmse_floor,
            result,
            alt="Root-mean-square error of each model against one label and against the truth, "
            f"beside the floor of {result.floors['rmse_floor']}.",
            caption="Models beside the floor: nobody's error against one label is less.",
        )
    ]
    if len(result.models) > FEW:
        pictures.append(
            Picture.of(
                plot_ranks,
                result,
                alt=result.ranking.answer(),
                caption="The ranks that each model may have; models that share a letter cannot be "
                "told apart.",
            )
        )
    for model in result.models:
        if model.agreement is not None:
            limits = f"{model.agreement.lower.short()} to {model.agreement.upper.short()}"
            pictures.append(
                Picture.of(
                    plot_bland_altman,
                    model.agreement,
                    alt=f"Differences of {model.name} from each label against their mean; limits "
                    f"of agreement {limits} {unit}.",
                    caption=f"{model.name} against each label (Bland–Altman).",
                )
            )
    table = result.items().head(WORST)
    rows = [
        [
            str(r["model"]),
            str(r["item"]),
            f"{r['prediction']:g}",
            f"{r['label_mean']:g}",
            f"{r['error']:.4g}",
            f"{r['in_noise_sds']:.1f}",
        ]
        for r in table.to_dict("records")
    ]
    worst = Section(
        "Items with the largest errors",
        ("model", "item", "prediction", "mean label", "error", "in SDs of the noise"),
        rows,
    )
    return Part.of(result, title="Models against the truth", more=(worst,), pictures=pictures)
