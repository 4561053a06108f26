"""The chapter on where the error sits."""

from __future__ import annotations

from dataclasses import replace

from annostat.concentration import Concentration, ConcentrationComparison
from annostat.estimates import percent
from annostat.report.parts import Part, Picture, part_of

TITLE = "Where the error sits"


@part_of.register
def _one(result: Concentration) -> Part:
    part = Part.of(result, title=TITLE, answer=_answer(result), pictures=(_picture(result),))
    worst = [s for s in part.sections if s.title == "Worst items"]
    return replace(part, sections=[s for s in part.sections if s not in worst], more=worst)


@part_of.register
def _several(result: ConcentrationComparison) -> Part:
    worst = [
        replace(section, title=f"Worst items of {name}")
        for name, model in result.models.items()
        for section in model.sections()
        if section.title == "Worst items"
    ]
    answer = [line for model in result.models.values() for line in _answer(model)]
    return Part.of(result, title=TITLE, answer=answer, pictures=(_picture(result),), more=worst)


def _answer(result: Concentration) -> list[str]:
    """Return the verdict, which needs a null."""
    if result.excess is None:
        return []
    share = percent(round(result.observed["worst_share"], 3))
    head = f"The worst {percent(result.top)} of the items hold {share} of {result.name}'s error."
    return [f"{head} {result.excess.verdict}."]


def _picture(result: Concentration | ConcentrationComparison) -> Picture:
    from annostat.plotting import plot_concentration

    models = result.models if isinstance(result, ConcentrationComparison) else {"": result}
    shares = "; ".join(
        f"{model.name}: {percent(round(model.observed['worst_share'], 3))} in the worst "
        f"{percent(model.top)}"
        for model in models.values()
    )
    return Picture.of(
        plot_concentration,
        result,
        alt=f"Share of the error against the share of the items, worst first, over the band of "
        f"noise alone. {shares}.",
        caption="Share of the error in the worst items, over the band that noise alone gives.",
    )
