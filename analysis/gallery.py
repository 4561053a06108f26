"""The gallery of the documentation: each kind of figure and the code that made it.

`python -m analysis gallery --out DIR` writes a picture for each tile and the page gallery.md, which
shows the same code. Copied to docs/images/gallery and docs, they are what the documentation shows:
`python -m analysis.gallery` does both. Data are bundled, or the simulated tables of docs/data.
"""

from __future__ import annotations

import ast
import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis.common import save
from annostat import plotting
from annostat.files import write_text
from annostat.plotting import save_figure

DOCS = Path(__file__).parent.parent / "docs"
HEAD = """# Gallery

Every kind of figure with the code that made it, from annotations that come with annostat or the
simulated tables of `docs/data` (`ef.csv`, `picks.csv`, `teams.csv`). A result draws itself,
`result.plot()`, and with `size="one"` or `"two"` at the width of a journal's columns; functions of
`annostat.plotting` draw single panels, on axes of yours with `ax=`. `python -m analysis.gallery`
makes the page and its pictures, and the test suite runs the code.

```python
import numpy as np
import pandas as pd
import annostat
from annostat import agreement, ceilings, datasets, plotting, truth
from annostat.concentration import concentration
from annostat.scaling import compare_scaling
```
"""


@dataclass(frozen=True)
class Tile:
    """One figure: a group of the page, its caption, what it draws, and the code."""

    group: str
    title: str
    caption: str
    code: str
    runs: bool = True  # not where the data do not come with annostat

    @property
    def name(self) -> str:
        """Of its file."""
        kept = "".join(c if c.isalnum() else " " for c in self.title.lower())
        return "-".join(kept.split())


PICKS, VALUES, MODELS = "Picks", "Values", "Models"
PLACE, MASKS, CLASSES = "In an annotator's place", "Outlines", "Categories"
MARKS, ERRORS, STUDY, BEATS = "Points and findings", "Errors and size", "Study", "Heart beats"

TILES = (
    Tile(
        PICKS,
        "What two readers differ by",
        "In which slice two of LIDC's readers saw a nodule largest, and the laws that explain it.",
        """
noise = annostat.compare_noise(
    datasets.lidc(), cores="student-t", abandonment="shared", physical=False, n_tests=0
)
plotting.plot_differences(noise)
""",
    ),
    Tile(
        PICKS,
        "One reader's error",
        "The law of a single reader's error, which nobody sees: E|X| is the floor of any model.",
        "plotting.plot_noise_law(noise)",
    ),
    Tile(
        PICKS,
        "The window of giving up",
        "The mean error does not hang on how far a reader who gives up may be off.",
        "plotting.plot_windows(noise)",
    ),
    Tile(PICKS, "Picks in one figure", "The three of them side by side.", "noise.plot()"),
    Tile(
        VALUES,
        "Floors and ceilings",
        "What any model can show against one of two readings of the ejection fraction.",
        """
table = pd.read_csv("ef.csv")
readings = annostat.read_rounds(table, item="patient", rounds=["first", "second"], unit="%")
bounds = annostat.bounds(readings)
plotting.plot_floors(bounds)
""",
    ),
    Tile(
        VALUES,
        "Limits of agreement",
        "Bland and Altman's plot, with intervals of the bias and of both limits.",
        "plotting.plot_bland_altman(readings)",
    ),
    Tile(
        VALUES,
        "Bounds in one figure",
        "Floors, and what the two readings differ by.",
        "plotting.plot_bounds(bounds)",
    ),
    Tile(
        VALUES,
        "Deviations from the mean",
        "Two to four readers of each nodule against their mean (Jones, Dobson and O'Brian).",
        """
diameters = datasets.lidc("diameter_mm")
agreement.limits_with_mean(diameters, n_resamples=200).plot()
""",
    ),
    Tile(
        VALUES,
        "Noise that grows with the value",
        "The precision profile: larger nodules are measured with more noise.",
        "agreement.precision_profile(diameters).plot()",
    ),
    Tile(
        VALUES,
        "Published numbers",
        "What each reading of a published SD allows, and a reported score.",
        """
from annostat.ceilings import Judged, bounds_from_summary, compare_published

printed = {"sd": 5.7, "n": 50}
camus = bounds_from_summary(**printed, unit="points")
claim = compare_published(**printed, score_rmse=5.17, score_n=1277)
plotting.plot_published(Judged(camus, claim))
""",
    ),
    Tile(
        MODELS,
        "The floor with models",
        "Against one label (grey) no error is below the floor (red); against the truth (blue) it "
        "may be nothing.",
        """
scores = annostat.score_models(readings, table[["small", "large", "leaky"]], margin=2)
plotting.plot_rmse_floor(scores)
""",
    ),
    Tile(
        MODELS,
        "Models against labels",
        "Up to three models are drawn against each label too.",
        "scores.plot()",
    ),
    Tile(
        MODELS,
        "Twenty teams and their ranks",
        "Ranks that hold for all pairs together; teams that share a letter cannot be told apart.",
        """
teams = annostat.score_models(readings, pd.read_csv("teams.csv").drop(columns="patient"))
teams.ranking.plot()
""",
    ),
    Tile(
        PLACE,
        "As good as an annotator",
        "What changes where a model takes a reader's place, with the margin that was stated.",
        """
held_out = diameters.take(diameters.readings == 4)
readers = annostat.Rounds.from_array(held_out.values[:, :3], exchangeable=True, unit="mm")
fourth = held_out.values[:, 3]
placed = annostat.interchange(
    readers, {"a reader": fourth, "rounded to 5 mm": np.round(fourth / 5) * 5}, margin=0.2
)
plotting.plot_interchange(placed)
""",
    ),
    Tile(
        PLACE,
        "Items and readers for that claim",
        "The chance of the claim, planned from a pilot.",
        """
from annostat.interchange import plan_interchange

plan_interchange(
    placed, model="a reader", margin=0.2, items=(100, 300, 1000), readers=(3, 5), n_resamples=50
).plot()
""",
    ),
    Tile(
        MASKS,
        "Ceiling of Dice",
        "How the ceiling follows from smaller groups of raters.",
        """
outlines = truth.compare_masks(datasets.lidc_masks(), surface=False, n_resamples=200)
plotting.plot_ladder(outlines)
""",
    ),
    Tile(
        MASKS,
        "Most disputed outlines",
        "Look at these first.",
        "plotting.plot_disputed(outlines, n=8)",
    ),
    Tile(MASKS, "Outlines in one figure", "Both of them.", "plotting.plot_masks(outlines)"),
    Tile(
        CLASSES,
        "Ceilings of F1 and accuracy",
        "The best possible model of malignancy against one radiologist: a range, and its limits.",
        """
grades = datasets.lidc_ratings(readings=4)
malignant = ceilings.category_bounds(grades, positive=["4", "5"])
malignant.plot()
""",
    ),
    Tile(
        CLASSES,
        "How disputed items are",
        "Bounds of the law of p, the chance that a radiologist says malignant.",
        'ceilings.category_law(grades, positive=["4", "5"]).plot()',
    ),
    Tile(
        CLASSES,
        "What another says",
        "The confusion of two radiologists at random.",
        "agreement.category_confusion(grades).plot()",
    ),
    Tile(
        CLASSES,
        "Quality of each rater",
        "Dawid and Skene's model of 14 simulated raters' labels.",
        """
from annostat.consensus import merge_categories
from annostat.labels import Categories

rng = np.random.default_rng(4)
sick = rng.random(300) < 0.4
skill = np.linspace(0.95, 0.65, 6)
said = np.where(rng.random((300, 6)) < skill, sick[:, None], ~sick[:, None]).astype(int)
names = [f"rater {i + 1}" for i in range(6)]
labels = Categories.from_array(said, names=names)
merge_categories(labels, method="dawid-skene").plot()
""",
    ),
    Tile(
        CLASSES,
        "Classifiers below the ceiling",
        "Scores of models beside the range in which the best possible model lies.",
        """
p = np.clip(0.9 * sick + 0.05 + rng.normal(0, 0.05, 300), 0.01, 0.99)
given = {"good": p, "sure of itself": p**3 / (p**3 + (1 - p) ** 3)}
classified = truth.score_categories(labels, proba=given, n_resamples=200)
classified.plot()
""",
    ),
    Tile(
        CLASSES,
        "Reliability of probabilities",
        "How often raters say the class where a model gives it a probability.",
        "plotting.plot_reliability(classified)",
    ),
    Tile(
        MARKS,
        "Landmarks within a distance",
        "The centres of LIDC's nodules: readers against each other, and the best that is possible.",
        """
centres = ceilings.point_bounds(datasets.lidc_centres(), n_resamples=100)
plotting.plot_success(centres)
""",
    ),
    Tile(
        MARKS,
        "Ellipses of one reader's error",
        "In which direction readers scatter.",
        "plotting.plot_ellipses(centres)",
    ),
    Tile(
        MARKS,
        "Ceiling of detection",
        "F1 of what four readers marked on the scans of LIDC.",
        """
marked = ceilings.finding_bounds(datasets.lidc_findings(), "distance 10")
plotting.plot_findings(marked)
""",
    ),
    Tile(
        MARKS,
        "FROC with its ceiling",
        "Sensitivity that no detector passes, by false positives of a scan.",
        "plotting.plot_froc(marked)",
    ),
    Tile(
        ERRORS,
        "Where the error sits",
        "For ten of 400 patients the model was given another one's clip: the curve leaves noise.",
        """
table = pd.read_csv("errors.csv")
errors = concentration(table["ours"], rounds=readings, name="ours", unit="%", n_resamples=199)
plotting.plot_concentration(errors)
""",
    ),
    Tile(
        ERRORS,
        "Size of a model",
        "1 − Dice of published students against their parameters, with the laws.",
        """
points = datasets.scaling_points()
compare_scaling(points["parameters"], points["dice"], higher_is_better=True).plot()
""",
    ),
    Tile(
        STUDY,
        "Items for a verdict",
        "The power of a verdict of `score`, planned from a pilot.",
        """
truth.plan_verdict(readings, margin=2, items=(50, 100, 200, 400), n_labels=(2, 3)).plot()
""",
    ),
    Tile(
        STUDY,
        "Items for an interval",
        "The half-width of the floor of the RMSE, planned from a pilot.",
        """
from annostat.planning import plan_floor

plotting.plot_width_plan(plan_floor(datasets.lidc(), n_resamples=50))
""",
    ),
    Tile(
        STUDY,
        "Broken clips and labels",
        "The contact sheet of `annostat audit`, here of simulated clips.",
        """
audit = datasets.audit_folder("EchoNet-Dynamic")
plotting.plot_contact_sheet(audit)
""",
        runs=False,
    ),
    Tile(
        STUDY,
        "Frame rates of a folder",
        "The rates of the same folder.",
        "plotting.plot_frame_rates(audit)",
        runs=False,
    ),
    Tile(
        BEATS,
        "One beat",
        "A curve of areas with the frame that was picked and the one of the annotator.",
        """
t = np.arange(90)
area = 900 + 300 * np.cos(2 * np.pi * t / 45) + rng.normal(0, 12, 90)
plotting.plot_beat(area, reference=23)
""",
    ),
    Tile(
        BEATS,
        "Picks within k frames",
        "Average frame distance of a model's picks, as a curve.",
        """
from annostat import cardiac

picks = pd.read_csv("picks.csv").query("phase == 'ES'")
plotting.plot_afd(cardiac.score_afd(picks["model"], picks["first"]))
""",
    ),
    Tile(
        BEATS,
        "The first frames",
        "A recurrent model starts from nothing; the error is flat from the hinge on.",
        """
clip = rng.gamma(20, 1 / 20, (80, 1)) * rng.lognormal(0, 0.3, (80, 60))
first = (0.08 + 0.02 * np.maximum(9 - np.arange(60), 0)) * clip
plotting.plot_first_frames(cardiac.first_frames(first, n_resamples=200))
""",
    ),
)


def page() -> str:
    """Return the page of all tiles."""
    parts, group = [HEAD], ""
    for tile in TILES:
        if tile.group != group:
            group = tile.group
            parts.append(f"## {group}\n")
        fence = "python" if tile.runs else "{code-block} python"
        parts.append(
            f"### {tile.title}\n\n{tile.caption}\n\n"
            f"![{tile.title}](images/gallery/{tile.name}.png)\n\n"
            f"```{fence}\n{tile.code.strip()}\n```\n"
        )
    return "\n".join(parts)


def drawn() -> Iterator[tuple[Tile, Figure]]:
    """Yield each tile that runs with its figure."""
    names: dict[str, Any] = {}
    code = HEAD[HEAD.index("```python\n") + 10 : HEAD.rindex("```")]
    exec(compile(code, "<gallery>", "exec"), names)
    for tile in TILES:
        if not tile.runs:
            continue
        *before, last = ast.parse(tile.code.strip()).body
        if not isinstance(last, ast.Expr):
            raise TypeError(f"{tile.title}: the last line must be what is drawn")
        exec(compile(ast.Module(before, []), "<gallery>", "exec"), names)
        found = eval(compile(ast.Expression(last.value), "<gallery>", "eval"), names)
        yield tile, found if isinstance(found, Figure) else found.figure


def of_a_folder() -> Iterator[tuple[Tile, Figure]]:
    """Yield the tiles of a folder of clips, here of a phantom with planted defects."""
    from analysis.corrupted import audited

    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, Any] = {
            "plotting": plotting,
            "audit": audited(Path(folder), seed=0, quick=True),
        }
        for tile in TILES:
            if not tile.runs:
                last = tile.code.strip().splitlines()[-1]
                yield tile, eval(last, names).figure


@contextlib.contextmanager
def within(folder: Path) -> Iterator[None]:
    """Run what follows in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def main(out: Path, *, seed: int = 0, quick: bool = False) -> None:
    """Write the pictures and the page; the code has its own seeds."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    made: list[dict[str, str]] = []
    last: Figure | None = None
    with within(DOCS / "data"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tile, figure in drawn():
            if quick and made and tile.group == made[-1]["group"]:
                continue  # one of a group
            save_figure(figure, out / f"{tile.name}.png")
            made.append({"group": tile.group, "name": tile.name})
            last = figure
        if not quick and all(find_spec(name) for name in ("av", "torch")):
            for tile, figure in of_a_folder():
                save_figure(figure, out / f"{tile.name}.png")
    write_text(out / "gallery.md", page())
    save(out, "gallery", {"kind": "gallery", "tiles": made}, last)


if __name__ == "__main__":
    main(DOCS / "images" / "gallery")
    for name in ("gallery.json", "gallery.svg", "gallery.png"):
        (DOCS / "images" / "gallery" / name).unlink()
    (DOCS / "images" / "gallery" / "gallery.md").replace(DOCS / "gallery.md")
