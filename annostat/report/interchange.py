"""Chapter on models in an annotator's place."""

from __future__ import annotations

from annostat.interchange import Interchange
from annostat.report.parts import WORST, Part, Picture, part_of
from annostat.results.sections import Section


@part_of.register
def _interchange(result: Interchange) -> Part:
    from annostat.plotting import plot_interchange

    table = result.items().head(WORST)
    rows = [
        [str(r["model"]), str(r["item"]), *(f"{r[k]:.4g}" for k in ("to_readers", "among"))]
        for r in table.to_dict("records")
    ]
    worst = Section(
        "Items on which a model departs most from the readers",
        ("model", "item", "distance from readers", "distance among readers"),
        rows,
    )
    answer = result.answer()
    picture = Picture.of(
        plot_interchange,
        result,
        alt=f"Change of {result.distance.label} when each model takes a reader's place. "
        f"{result.quote()}",
        caption="Left of 0 a model disagrees less with readers than they do with each other.",
        size=(5.6, 1.8 + 0.6 * len(result.models)),
    )
    return Part.of(
        result,
        title=result.title,
        answer=[
            answer.replace("whether", "Whether", 1) if answer.startswith("whether") else answer
        ],
        intro=[*result.taken.notes, result.quote()],
        sections=result.sections()[1:],
        more=(worst,),
        pictures=[picture],
    )
