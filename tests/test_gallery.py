"""The gallery: every public picture is in it, and its page is that of the script."""

from pathlib import Path

import pytest
from PIL import Image

from analysis import screens
from analysis.gallery import TILES, page
from annostat import plotting

DOCS = Path(__file__).parent.parent / "docs"
# Those that a result draws by itself: result.plot() of the gallery's code.
BY_PLOT = {
    "plot_bounds": "plotting.plot_bounds(",
    "plot_noise": "noise.plot()",
    "plot_scores": "scores.plot()",
    "plot_ranks": "ranking.plot()",
    "plot_profile": "precision_profile(diameters).plot()",
    "plot_deviations": "limits_with_mean(diameters, n_resamples=200).plot()",
    "plot_interchange_plan": "plan_interchange(",
    "plot_category_bounds": "malignant.plot()",
    "plot_category_law": "category_law(",
    "plot_category_scores": "classified.plot()",
    "plot_confusion": "category_confusion(grades).plot()",
    "plot_quality": "merge_categories(",
    "plot_scaling": "compare_scaling(",
    "plot_verdict_plan": "plan_verdict(",
}


def test_every_public_picture_is_in_the_gallery():
    code = "\n".join(tile.code for tile in TILES)
    for name in plotting.__all__:
        if name.startswith("plot_"):
            assert f"plotting.{name}(" in code or BY_PLOT.get(name, name) in code, name


def test_the_page_is_current_and_has_its_pictures():
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == page()
    names = {f"{tile.name}.png" for tile in TILES}
    assert len(names) == len(TILES)
    assert {p.name for p in (DOCS / "images" / "gallery").iterdir()} == names
    for name in names:
        with Image.open(DOCS / "images" / "gallery" / name) as picture:
            width, height = picture.size
        assert width >= 450 and height >= 300, name


@pytest.mark.parametrize("width", screens.WIDTHS)
def test_screens_are_what_is_printed(width):
    svg = screens.path_of(width).read_text(encoding="utf-8")
    now = [line for line in screens.printed(width) if line]
    assert screens.words_of(svg) == now and max(map(len, now[1:])) <= width
    assert f"screens/bounds-{width}.svg" in (DOCS / "start.md").read_text(encoding="utf-8")
