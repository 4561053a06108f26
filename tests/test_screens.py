"""Screens open with the answer, what to quote and the checks that want attention."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from annostat import NoiseModel, Rounds, bounds, compare_noise, score_models, simulate_rounds
from annostat._version import __version__
from annostat.ceilings import bounds_from_summary, compare_published
from annostat.cli import COMMANDS, main
from annostat.cli.front import SUMMARIES
from annostat.concentration import compare_concentration, concentration
from annostat.errors import AnnostatError
from annostat.report import make_report
from annostat.results.cite import REFERENCES
from annostat.results.layout import fit_table
from annostat.results.markup import latex_table, markdown_table, sentence
from annostat.results.result import called
from annostat.results.sections import Section, render_text
from annostat.results.text import hang, spoken
from annostat.scaling import compare_scaling
from annostat.simulate import simulate_masks
from annostat.truth import compare_masks
from tests.test_golden import NOISE, NUMBER, PICKS, TRUTH, TWO, words

DATA = Path(__file__).parent.parent / "docs" / "data"


def noise_result():
    return compare_noise(PICKS, n_tests=0)


def scores_of(n):
    models = {f"m{i}": TRUTH + NOISE[:, 2] * (i + 1) / 3 for i in range(n)}
    return score_models(TWO, models, kind="values", n_resamples=99)


def mask_result():
    rounds, truth = simulate_masks(20, 3, noise_px=2.0, rng=1)
    return compare_masks(rounds, models={"net": truth}, surface=False, n_resamples=99)


def scaling_result():
    sizes = np.geomspace(1e4, 1e7, 12)
    return compare_scaling(sizes, 0.2 + 0.8 * (sizes / 1e4) ** -0.4 * np.exp(NOISE[:12, 0] / 100))


MADE = {
    "bounds": lambda: bounds(TWO, interval="t"),
    "published": lambda: bounds_from_summary(sd=5.7, correlation=0.8, n=50),
    "judged": lambda: compare_published(score_rmse=5.17, score_n=1277, sd=5.7, n=50),
    "scores": lambda: scores_of(2),
    "noise": noise_result,
    "masks": mask_result,
    "concentration": lambda: concentration(NOISE[:, 0], noise="laplace", n_resamples=99),
    "several": lambda: compare_concentration({"a": NOISE[:, 0], "b": NOISE[:, 1]}, n_resamples=99),
    "scaling": scaling_result,
}


@pytest.fixture(scope="module")
def results():
    return {name: made() for name, made in MADE.items()}


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_screen_opens_with_the_answer_and_what_to_quote(results, name):
    found = results[name]
    text = str(found)
    words = [line[:8].strip() for line in text.split("\n\n")[0].splitlines()]
    words = [word for word in words if word]
    assert words == ["Answer", "Quote", "Checks"][: len(words)] and len(words) >= 2
    together = " ".join(text.split())
    assert " ".join(found.answer().split()) in together
    assert " ".join(found.quote().split()) in together
    assert not re.search(r"nan|None|inf\b", found.answer() + found.quote())


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_page_takes_the_same_sentences(results, name):
    page = make_report([results[name]])
    said = unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))
    assert " ".join(results[name].answer().split()) in said
    assert " ".join(results[name].quote().split()) in said
    if results[name].cited() is not None:
        for form in ("text", "markdown", "latex"):
            assert results[name].cite(form) in unescape(page)


@pytest.mark.parametrize("name", sorted(MADE))
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_paragraph_is_wider_than_the_screen(results, name, width):
    opening = results[name].to_text(width=width).split("\n\n")[0]
    assert max(map(len, opening.splitlines())) <= width
    again = {" ".join(results[name].to_text(width=w).split("\n\n")[0].split()) for w in (60, 120)}
    assert len(again) == 1


def test_a_number_its_unit_and_its_interval_are_not_parted():
    text = "a floor of 3.90 points (95% 3.60 to 4.26), p < 0.001, and 0.268 to 0.625 slices"
    for width in range(60, 80):
        for shift in range(30):
            lines = hang("Quote", "x" * shift + " " + text, width)
            for piece in ("3.90 points", "95% 3.60 to 4.26", "p < 0.001", "0.268 to 0.625 slices"):
                assert any(piece in line for line in lines)
                assert all("\u00a0" not in line for line in lines)


def test_a_marked_check_hangs_beside_its_mark():
    lines = spoken("!!", "word " * 30, 80)
    assert lines[0].startswith("        !!  word") and lines[1].startswith(" " * 12 + "word")
    assert max(map(len, lines)) <= 80


def test_checks_are_counted_and_those_that_hold_are_folded(results):
    found = results["bounds"]
    (word, text), *marked = called(found.checks)
    assert word == "Checks" and f"{sum(c.passed is True for c in found.checks)} hold" in text
    assert len(marked) == sum(c.passed is not True for c in found.checks)
    [held, *_] = [c for c in found.checks if c.passed]
    assert held.message not in str(found) and held.message in found.to_text(everything=True)
    assert called(()) == []


def test_models_that_the_data_refute_are_folded(results):
    found = results["noise"]
    text, everything = str(found), found.to_text(everything=True)
    far = found.fits[-1].label
    assert found.fits[-1].aic > found.best.aic + 10
    assert f"\n{far} " not in text and f"\n{far} " in everything
    assert f"\n{found.best.label} " in text and " more" in text
    assert f"All {len(found.fits)} models" in everything and "Models, best" not in everything


def test_what_to_quote_of_picks_is_the_headline(results):
    found = results["noise"]
    assert found.of == "model" and found.envelope.range() in found.quote()
    refuted = replace(
        found,
        checks=tuple(
            replace(c, passed=False) if c.name == "goodness_of_fit" else c
            for c in compare_noise(PICKS, cores=["gaussian"], abandonment="none", n_tests=19).checks
        ),
    )
    assert refuted.of == "bracket" and refuted.mae.range() in refuted.answer()
    assert refuted.envelope.range() in refuted.quote() and "any noise" in refuted.quote()
    assert "none fits" in str(refuted)


def test_few_models_have_a_sentence_each_and_many_are_counted(results):
    few = results["scores"].answer()
    assert "m0 is " in few and "m1 is " in few
    many = scores_of(6)
    assert many.answer().startswith("Of 6 models: ") and "the best by their RMSE" in many.quote()


def test_a_published_score_says_what_error_it_leaves():
    one = compare_published(
        score_rmse=5.17, score_n=1277, sd=5.7, n=50, convention="between-sessions"
    )
    left = (5.17**2 - one.readings[0].bound ** 2) ** 0.5
    assert f"remains: {left:.3g} under between-sessions" in one.answer()
    none = compare_published(score_rmse=2.0, score_n=1277, sd=5.7, n=50)
    assert none.answer().startswith("No reading allows the reported score")


def test_the_command_line_folds_and_unfolds(capsys):
    args = ["bounds", str(DATA / "ef.csv"), "--rounds", "first", "second", "--interval", "t"]
    main(args)
    brief = capsys.readouterr().out
    assert brief.startswith("Read    ") and "\nAnswer  " in brief and "\nok  " not in brief
    last = brief.strip().split("\n\n")[-1]
    assert last.startswith("More    --all") and "--plot FILE" in last and "--items" not in last
    main([*args, "--all"])
    assert "\nok  " in capsys.readouterr().out
    main([*args, "--json", "-"])
    data = json.loads(capsys.readouterr().out)
    assert data["answer"].startswith("Against one annotation") and "(95% " in data["quote"]


def test_rounds_without_noise_have_an_answer_too():
    exact = Rounds.from_array(np.stack([TRUTH, TRUTH], axis=1))
    found = bounds(exact)
    assert "RMSE of 0" in found.answer() and "nan" not in str(found).lower()
    picks = simulate_rounds(NoiseModel("laplace", {"scale": 0.01}), 30, rng=1)
    assert "nan" not in compare_noise(picks, cores=["laplace"], n_tests=0).quote()


@pytest.mark.parametrize("name", sorted(set(MADE) - {"published", "judged"}))
def test_sentences_for_a_paper_are_those_of_the_result(results, name):
    found = results[name]
    text, md, tex = (found.cite(form) for form in ("text", "markdown", "latex"))
    assert (
        text.startswith("Methods  ")
        and "\nResults  " in text
        and f"annostat {__version__}" in " ".join(text.split())
    )
    assert "[@annostat]" in md and "[@" not in text and "`" not in text
    assert r"~\cite{annostat}" in tex and "@software{annostat," in tex
    assert max(map(len, text.splitlines())) <= 80
    both = found.cited()
    n = found.provenance.n_items
    assert f"{n:,}" in both.methods
    assert set(both.keys) <= set(REFERENCES)
    for c in found.checks:
        if c.passed is False and c.name != "goodness_of_fit":
            assert c.message.partition(":")[0].rstrip(".") in both.results
    bare = re.sub(r"\\[%&_#${}]", "", tex.split("\n\n@")[0])
    assert "%" not in bare and "#" not in bare and not re.search(r"(?<!\\cite)\{,?[^}]*$", bare)
    assert bare.count("$") % 2 == 0


def test_the_reference_to_annostat_is_that_of_the_repository():
    cff = (Path(__file__).parent.parent / "CITATION.cff").read_text()
    title = re.search(r'^title: "(.*)"$', cff, re.M)[1]
    authors = re.findall(r"- name: (.*)", cff)
    assert title in REFERENCES["annostat"].text and all(
        a in REFERENCES["annostat"].text for a in authors
    )
    assert f"version: {__version__}" in cff


def test_what_has_no_sentences_says_so(results, capsys):
    with pytest.raises(AnnostatError, match="no sentences"):
        results["published"].cite()
    with pytest.raises(AnnostatError, match="form must be"):
        results["bounds"].cite("word")
    with pytest.raises(SystemExit):
        main(["bounds", "--sd", "5.7", "--n", "50", "--cite"])
    out, err = capsys.readouterr()
    assert not out and "no sentences" in err


def test_cite_at_the_command_line_takes_a_form_or_none(capsys):
    args = ["bounds", "--sd", "5.7", "--n", "50", "--convention", "noise-sd"]
    for more, told in (
        (["--cite"], "Methods  "),
        (["--cite", "markdown"], "[@bland1999]"),
        (["--cite", "latex"], r"\cite{bland1999}"),
    ):
        main([*args, *more])
        out = capsys.readouterr().out
        assert told in out and out.index(told) > out.index("Quote  ")
        assert "--cite" not in out.split("More  ")[1]


def test_sentences_escape_what_names_hold():
    text = "The RMSE of `a_b & 50%` was −1,234.5 mm (p = 0.012, `$x`) [@annostat]."
    made = sentence(text, "latex", lambda _: 1)
    assert r"\texttt{a\_b \& 50\%}" in made and r"\texttt{\$x}" in made
    assert "$-1,234.5$" in made and "$p = 0.012$" in made and made.endswith(r"~\cite{annostat}.")
    assert sentence(text, "text", lambda _: 7).endswith("[7].")
    assert "*p* = 0.012" in sentence(text, "markdown", lambda _: 1)


@pytest.mark.parametrize("name", sorted(MADE))
def test_tables_in_markdown_and_latex_hold_every_cell(results, name):
    found = results[name]
    wanted = [s for s in found.sections() if s.columns and s.when != "all"]
    md, tex = found.to_markdown(), found.to_latex()
    assert tex.count(r"\begin{tabular}") == md.count("| --- |") == len(wanted) or len(wanted) > 0
    for section in wanted:
        for row in section.rows:
            cells = " | ".join(c.replace("|", "\\|") for c in row)
            assert f"| {cells} |" in md
    assert len(found.to_markdown(everything=True)) >= len(md)


def test_tables_cannot_break_out():
    section = Section("a|b_c", ("x|y", "n"), [["1|2\n3", "50% & _"]], ["a note, 5%"])
    md, tex = markdown_table(section), latex_table(section)
    assert r"| x\|y | n |" in md and "1\\|2" in md and "\n3" not in md
    assert r"50\% \& \_ \\" in tex and r"\caption{a|b\_c}" in tex and r"a note, 5\%" in tex


@pytest.mark.parametrize("name", sorted(MADE))
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_screen_is_as_wide_as_the_terminal_and_breaks_no_number(results, name, width):
    found = results[name]
    text = found.to_text(width=width, everything=True)
    assert max(map(len, text.splitlines())) <= width
    dropped = " ".join(re.findall(r"No room for: (.*)\.", " ".join(text.split())))
    together = " ".join(text.split())
    for section in found.sections():
        if section.when == "brief" or not section.columns:
            continue
        for row in section.rows:
            for head, cell in zip(section.columns, row, strict=True):
                for piece in re.findall(r"[-−]?[\d.,]+\d(?: to [-−]?[\d.,]+\d)?", cell):
                    assert piece in together or head in dropped or head in ("interval", "")


def test_tables_wrap_before_columns_are_dropped_in_a_stated_order():
    columns = ("what", "value", "interval", "method")
    rows = [
        ["the floor of the mean error", "3.90 points", "3.60 to 4.26", "a method in many words"]
    ]
    assert fit_table(columns, rows, 200) == (list(columns), rows, [])
    head, [row], dropped = fit_table(columns, rows, 62)
    assert head == list(columns) and dropped == [] and "\n" in row[3] and "3.60 to 4.26" in row
    head, [row], dropped = fit_table(columns, rows, 50)
    assert head == list(columns)[:3] and dropped == ["method"]
    head, [row], dropped = fit_table(columns, rows, 35)
    assert head == ["what", "value"] and dropped == ["interval", "method"]
    pairs = ("model", "RMSE", "MAE", "interval")
    head, _, dropped = fit_table(pairs, [["a" * 20, "1.5", "2.25", "2.00 to 2.50"]], 38)
    assert dropped == ["MAE", "interval"]  # a value goes with its interval
    assert fit_table(("what",), [["x" * 90]], 60) == (["what"], [["x" * 90]], [])


def test_what_comes_from_data_ends_no_line():
    section = Section("t", ("a", "b"), [["one\ntwo", "1"]], ["x\x1b[31m"])
    for width in (None, 60):
        text = render_text([section], width=width)
        assert "one\\x0atwo" in text and "\x1b" not in text


def test_colours_where_a_terminal_has_them(monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    args = ["bounds", str(DATA / "ef.csv"), "--rounds", "first", "second", "--interval", "t"]
    main(args)
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    main(args)
    out = capsys.readouterr().out
    assert "\x1b[1mAnswer\x1b[0m  " in out and "\x1b[33m        ??\x1b[0m  " in out
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
        main(args)
        assert "\x1b" not in capsys.readouterr().out
        monkeypatch.setenv(name, "")


def test_columns_of_the_environment_are_the_width(monkeypatch, capsys):
    args = ["bounds", str(DATA / "ef.csv"), "--rounds", "first", "second", "--interval", "t"]
    monkeypatch.delenv("COLUMNS", raising=False)
    main(args)
    assert max(map(len, capsys.readouterr().out.splitlines())) > 100  # a file is no screen
    for width in ("60", "120", "20"):
        monkeypatch.setenv("COLUMNS", width)
        main(args)
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= max(int(width), 60)


def test_annostat_alone_shows_what_there_is(capsys):
    main([])
    out = capsys.readouterr().out
    assert all(f"{name} " in out for name in COMMANDS) and max(map(len, out.splitlines())) <= 80
    main(["--help"])
    text = capsys.readouterr().out
    assert (
        all(summary in text for summary in SUMMARIES.values()) and "..." not in text.split("Com")[1]
    )
    assert set(SUMMARIES) <= set(COMMANDS)
    with pytest.raises(SystemExit):
        main(["bound"])
    assert "no command 'bound'; did you mean 'bounds'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("page", "start", "args"),
    [
        ("README.md", "Read    LIDC-IDRI, largest_slice", ["fit-afd", "--example", "lidc"]),
        (
            "docs/categories.md",
            "Read    LIDC-IDRI, malignancy",
            ["bounds", "--example", "lidc-malignancy", "--positive", "4,5"],
        ),
        ("docs/index.md", "Read    LIDC-IDRI, largest_slice", ["fit-afd", "--example", "lidc"]),
        (
            "docs/values.md",
            "Read    ef.csv: 400 items",
            [
                "bounds",
                str(DATA / "ef.csv"),
                *"--item patient --rounds first second --unit points".split(),
            ],
        ),
    ],
)
def test_pages_show_what_is_printed(page, start, args, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    text = (DATA.parent.parent / page).read_text(encoding="utf-8")
    kept = text[text.index(start) :].split("\n```")[0].splitlines()
    main(args)
    printed = capsys.readouterr().out.splitlines()[: len(kept)]
    for found, line in zip(printed, kept, strict=True):
        assert words(found).strip() == words(line).strip()
        numbers = [
            [float(n.replace(",", "").replace("−", "-")) for n in NUMBER.findall(t)]
            for t in (found, line)
        ]
        assert numbers[0] == pytest.approx(numbers[1], rel=5e-3)
