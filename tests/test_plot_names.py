"""Names in pictures are what they are: a dollar is a dollar, and no control character arrives."""

import re
import subprocess
import sys

import numpy as np
import pytest

from annostat import Rounds, compare_noise, score_models, simulate_masks
from annostat.agreement import bland_altman, limits_with_mean
from annostat.concentration import concentration
from annostat.interchange import interchange
from annostat.plotting import (
    plot_bland_altman,
    plot_concentration,
    plot_deviations,
    plot_interchange,
    plot_masks,
    plot_noise,
    plot_rmse_floor,
    plot_scaling,
    plot_scores,
    save_figure,
)
from annostat.plotting.figures import svg_of
from annostat.report import make_report
from annostat.scaling import compare_scaling
from annostat.truth import compare_masks

NAMES = ("cost $ a $", "price $x_$ \x1b[31m")  # the second is no formula that can be read
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def rounds():
    g = np.random.default_rng(1)
    truth = g.integers(0, 100, (60, 1))
    return Rounds.from_array(truth + np.rint(g.laplace(0, 2, (60, 2))), names=NAMES, unit="$x_$")


def scores():
    g = np.random.default_rng(2)
    found = rounds()
    models = {f"{name} of": found.values.mean(axis=1) + g.normal(0, 3, 60) for name in NAMES}
    return score_models(found, models, n_resamples=100)


def of_masks():
    drawn, truth = simulate_masks(6, 2, noise_px=1.5, rng=1, shape=(32, 32), radius_px=(6, 9))
    from annostat.labels import MaskRounds

    named = MaskRounds.from_arrays(
        dict(zip(NAMES, drawn.values, strict=True)), items=[NAMES[1] + str(i) for i in range(6)]
    )
    return compare_masks(named, models={NAMES[1]: truth}, surface=False, n_resamples=100)


def of_scaling():
    sizes = np.geomspace(1e3, 1e6, 8)
    return compare_scaling(sizes, 3 * sizes**-0.3, size_name=NAMES[1])


def of_places():
    g = np.random.default_rng(3)
    found = rounds()
    models = {f"{name} in": found.values[:, 0] + g.normal(0, 3, 60) for name in NAMES}
    return interchange(found, models)


PICTURES = {
    "places": lambda: plot_interchange(of_places()),
    "limits": lambda: plot_bland_altman(bland_altman(rounds())),
    "deviations": lambda: plot_deviations(limits_with_mean(rounds(), n_resamples=99)),
    "noise": lambda: plot_noise(compare_noise(rounds(), cores=["laplace"], n_tests=0)),
    "scores": lambda: plot_scores(scores()),
    "floor": lambda: plot_rmse_floor(scores()),
    "concentration": lambda: plot_concentration(
        concentration(np.random.default_rng(0).normal(size=50), name=NAMES[1])
    ),
    "masks": lambda: plot_masks(of_masks()),
    "scaling": lambda: plot_scaling(of_scaling()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_dollar_is_a_dollar_in_every_picture(name, tmp_path):
    drawn = PICTURES[name]()
    figure = drawn.figure if hasattr(drawn, "figure") else drawn
    figure.canvas.draw()  # without ours, as in a notebook
    text = svg_of(figure).decode()
    assert not CONTROL.search(text)
    if name not in ("noise", "deviations"):  # which show no name
        assert "$" in text
    save_figure(figure, tmp_path / "a.png")
    save_figure(figure, tmp_path / "a.pdf")


def test_text_and_pages_show_names_and_obey_none(tmp_path):
    found = scores()
    for text in (str(found), found._repr_html_(), make_report([found], title=NAMES[1])):
        assert not CONTROL.search(text) and r"price $x_$ \x1b[31m" in text
    placed = of_places()
    for text in (str(placed), placed._repr_html_(), make_report([placed], title=NAMES[1])):
        assert not CONTROL.search(text) and r"\x1b[31m" in text
    table = tmp_path / "t.csv"
    values = rounds().values
    rows = "".join(f"{a:.0f},{b:.0f}\n" for a, b in values)
    table.write_text(f"{NAMES[0]},{NAMES[1]}\n" + rows)
    done = subprocess.run(
        [sys.executable, "-m", "annostat", "bounds", table, "--rounds", *NAMES],
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0 and not CONTROL.search(done.stdout.decode())
