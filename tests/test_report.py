"""The report: what it says, what it refuses, and how it looks in a real browser."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from annostat import AnnostatError, Rounds, compare_noise, simulate_masks
from annostat.cli import main
from annostat.report import Part, make_report, write_report
from tests.folders import EchoFolder

NASTY = "<script>alert('x')</script>\"&<img src=//evil.example/x.png onerror=alert(1)>"


@pytest.fixture(scope="module")
def results():
    g = np.random.default_rng(1)
    truth = g.integers(0, 100, (120, 1))
    values = truth + np.rint(g.laplace(0, 2, (120, 2)))
    rounds = Rounds.from_array(values, names=[NASTY, "b"], unit="<i>frames</i>")
    return [compare_noise(rounds, cores=["laplace", "gaussian"], n_tests=0)]


@pytest.fixture(scope="module")
def page(results):
    return make_report(results, title=f"Picks {NASTY}", command=f"annostat report {NASTY}")


def test_nothing_from_the_data_becomes_markup(page):
    assert "<script" not in page and "<img src=//" not in page and "<i>frames" not in page
    assert "&lt;script&gt;" in page and "&lt;i&gt;frames&lt;/i&gt;" in page


def test_the_page_refers_to_nothing_outside(page):
    for address in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page):
        assert address.startswith(("data:", "#")), address
    assert "@import" not in page and "url(" not in page
    assert len(page) < 2_000_000


def test_same_results_same_bytes(results, page):
    again = make_report(results, title=f"Picks {NASTY}", command=f"annostat report {NASTY}")
    assert again == page


def test_every_check_and_estimate_is_said(results, page):
    [noise] = results
    for check in noise.checks:
        head = check.message.split("<")[0].split("'")[0][:40]
        assert head in page
    assert noise.mae.short() in page and noise.provenance.data_hash in page
    assert all(f"<td>{fit.label}</td>" in page for fit in noise.fits)


def test_pictures_have_words(page):
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert len(alts) == 3 and all(len(alt) > 20 for alt in alts)


def test_a_check_is_said_once(results):
    once, twice = make_report(results), make_report([*results, *results])
    for check in results[0].checks:
        words = check.message.split("<")[0].split("'")[0]
        assert twice.count(words) == once.count(words), words


def test_refusals(tmp_path):
    with pytest.raises(AnnostatError, match="nothing to show"):
        make_report([])
    with pytest.raises(AnnostatError, match="int has no chapter"):
        make_report([3])
    with pytest.raises(AnnostatError):
        write_report(tmp_path / "no" / "folder.html", [Part("x")])


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "lidc.html"
    main(["report", "--example", "lidc", "-o", str(path)])
    return path.read_text(encoding="utf-8")


def test_the_example_says_what_was_asked(example):
    for words in (
        "1,868",
        "7,310",
        "no model can show less over many tests",
        "Items to look at",
        "LIDC-IDRI-0066/1",
        "annostat report --example lidc -o ",
        "numba",
        "To cite",
        "The order of the rounds has no identity",
    ):
        assert words in example, words
    assert len(example.encode()) < 2_000_000


def test_strata_and_command(tmp_path, capsys):
    g = np.random.default_rng(2)
    lines = ["clip,a,b,phase"]
    for k in range(80):
        z = 50 + np.rint(g.laplace(0, 2, 2)).astype(int)
        lines.append(f"c{k},{z[0]},{z[1]},{'ED' if k % 2 else 'ES'}")
    table, page = tmp_path / "a table.csv", tmp_path / "page.html"
    table.write_text("\n".join(lines))
    main(["report", str(table), "--rounds", "a", "b", "-o", str(page), "--by", "phase"])
    text = page.read_text(encoding="utf-8")
    assert "ED: The noise" not in text and "ED: the noise of one annotation" in text
    assert "a table.csv&#39; --rounds a b -o" in text
    assert str(page) in "".join(capsys.readouterr().out.split())


def test_values(tmp_path):
    g = np.random.default_rng(3)
    z = g.normal(50, 10, (60, 1)) + g.normal(0, 3, (60, 2))
    table, page = tmp_path / "t.csv", tmp_path / "page.html"
    table.write_text("id,a,b\n" + "".join(f"i{k},{x:.2f},{y:.2f}\n" for k, (x, y) in enumerate(z)))
    main(["report", str(table), "--unit", "mm", "-o", str(page)])
    text = page.read_text(encoding="utf-8")
    assert "no model can look better" in text and "frames" not in text.split("<main>")[1]
    assert "<summary>Intraclass correlation</summary>" in text and "Bland–Altman" in text


@pytest.mark.parametrize("models", [("m",), ("m", "n")])
def test_models_have_verdicts_and_curves(tmp_path, models):
    g = np.random.default_rng(6)
    y = g.normal(50, 10, (60, 1))
    z = np.column_stack([y + g.normal(0, 3, (60, 2)), y, y + g.normal(0, 5, (60, 1))])
    table, page = tmp_path / "t.csv", tmp_path / "page.html"
    rows = [f"i{k}," + ",".join(f"{v:.2f}" for v in row) for k, row in enumerate(z)]
    table.write_text("id,a,b,m,n\n" + "\n".join(rows))
    chosen = [word for model in models for word in ("--model", model)]
    main(["report", str(table), "--rounds", "a", "b", *chosen, "-o", str(page)])
    text = page.read_text(encoding="utf-8")
    assert "Where the error sits" in text and "Noise alone would give" in text
    assert "<h3>Worst items</h3>" in text or len(models) > 1
    assert text.count("Against both rounds:") >= len(models)


def test_masks_and_an_audit_have_their_chapters(tmp_path):
    pytest.importorskip("av", reason="needs PyAV")
    g = np.random.default_rng(5)
    y, x = np.mgrid[:24, :24]
    for rater in "ab":
        (tmp_path / rater).mkdir()
        for clip in range(8):
            radius = 7 + g.normal(0, 0.6, (3, 1, 1))
            mask = (np.hypot(x - 12, y - 12) < radius).astype(np.uint8)
            np.savez(tmp_path / rater / f"c{clip}.npz", mask)
    EchoFolder.make(3, seed=1).write(tmp_path / "echo")
    table, page = tmp_path / "t.csv", tmp_path / "page.html"
    z = g.normal(50, 10, (40, 1)) + g.normal(0, 3, (40, 2))
    table.write_text("id,a,b\n" + "".join(f"i{k},{u:.2f},{v:.2f}\n" for k, (u, v) in enumerate(z)))
    main(
        [
            "report",
            str(table),
            "--masks",
            str(tmp_path / "a"),
            "--masks",
            str(tmp_path / "b"),
            "--audit",
            str(tmp_path / "echo"),
            "-o",
            str(page),
            "--n-jobs",
            "1",
        ]
    )
    titles = re.findall(r'<h2 id="head-\d+">([^<]*)</h2>', page.read_text(encoding="utf-8"))
    assert len(titles) == 4 and titles[0] == "What was measured"


def test_whole_numbers_may_be_values(tmp_path):
    g = np.random.default_rng(4)
    z = np.rint(g.normal(60, 10, (60, 1)) + g.normal(0, 3, (60, 2)))
    table, page = tmp_path / "t.csv", tmp_path / "page.html"
    table.write_text("id,a,b\n" + "".join(f"i{k},{x:g},{y:g}\n" for k, (x, y) in enumerate(z)))
    main(["report", str(table), "--kind", "values", "-o", str(page)])
    assert "How good a model can look" in page.read_text(encoding="utf-8")


def test_bad_reports_are_one_line(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("id,a,b\nx,1,2\ny,3,4\n")
    for args, words in (
        ((table, "-o", tmp_path), "name a file"),
        ((table, "-o", tmp_path / "no" / "x.html"), "there is no folder"),
        ((table,), "--output"),
        ((tmp_path / "none.csv", "-o", tmp_path / "x.html"), "no file"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["report", *map(str, args)])
        err = capsys.readouterr().err
        assert stop.value.code == 2 and words in err and err.count("\n") == 1, args
    assert not (tmp_path / "x.html").exists()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["page", "example"])
def test_in_a_real_browser(browser, request, tmp_path, width, scheme, which):
    path = tmp_path / "report.html"
    path.write_text(request.getfixturevalue(which), encoding="utf-8")
    command = browser.execute_cdp_cmd
    command(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    command(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri())
    assert browser.get_log("browser") == []
    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
    script = browser.execute_script
    assert script("return document.documentElement.scrollWidth") <= width
    assert script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert script("return document.querySelectorAll('h1').length") == 1
    for figure in browser.find_elements("css selector", "figure"):
        assert figure.rect["x"] + figure.rect["width"] <= width
    ink, paper = script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    assert contrast(ink, paper) > 7


@pytest.mark.browser
def test_a_dark_screen_prints_on_white(browser, page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    browser.get(path.as_uri())
    script = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(script) == "rgb(255, 255, 255)"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def contrast(one, other):
    """Return the contrast ratio of two CSS colours (WCAG 2.1)."""
    shades = []
    for colour in (one, other):
        rgb = np.array([int(v) for v in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        shades.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(shades) + 0.05) / (min(shades) + 0.05)


def test_one_page_has_all_tables_of_a_study(run, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent.parent / "docs" / "data")
    page = tmp_path / "study.html"
    ef = ("report", "ef.csv", "--rounds", "first", "second", "--n-jobs", "1", "-o", page)
    also = (
        "picks.csv --rounds first second --by phase --cluster patient --kind values",
        "--example lidc-malignancy --positive 4,5",
    )
    masks = ("--masks", tmp_path / "masks.npz")
    drawn, _ = simulate_masks(8, 3, noise_px=1.5, rng=1, shape=(32, 32), radius_px=(6, 9))
    np.savez(masks[1], **dict(zip(drawn.names, drawn.values.astype(np.uint8), strict=True)))
    code, out, err = run(*ef, *(w for text in also for w in ("--also", text)), *masks)
    assert code == 0, err
    text = page.read_text(encoding="utf-8")
    for title in ("ef: what was measured", "picks, ED: how good", "picks, ES: how good"):
        assert title in text
    assert "lidc-malignancy: how good a model can look against these cat" in text
    assert ">Masks<" in text and out.startswith("Answer  ef: ") and "\nWrote   " in out
    assert "lidc-malignancy: Against one" in " ".join(out.split())
    for wrong, words in (
        ("no.csv", "no.csv"),
        ("'", "cannot be read"),
        ("x.csv --title a", "page"),
    ):
        code, _, err = run(*ef, "--also", wrong)
        assert code == 2 and words in err


def test_the_verdict_has_its_picture_on_top():
    from annostat import score_models

    g = np.random.default_rng(2)
    truth = g.normal(50, 10, 60)
    labels = Rounds.from_array(truth[:, None] + g.normal(0, 3, (60, 2)))
    scores = score_models(labels, {"m": truth + g.normal(0, 1, 60)}, n_resamples=100)
    text = make_report([labels, scores])
    top, rest = text.split("<nav", 1)
    assert top.index('class="answer"') < top.index("<figure") and top.count("<figure") == 1
    shown = re.findall(r'<img src="([^"]+)"', text)
    assert len(set(shown)) == len(shown) and "<figure" in rest
    assert "<figure" not in make_report([labels]).split("<nav")[0]
