"""The study that closes the loop, as small as it gets."""

import json

from analysis.closing_the_loop import SHOWN, main


def test_predicted_and_reached_are_in_one_table(tmp_path, capsys):
    numbers = main(tmp_path, quick=True)
    assert numbers["kind"] == "simulated"
    kept = json.loads((tmp_path / "closing_the_loop.json").read_text())
    assert set(kept["scores"]) == {"2", "4", "perfect"}
    truth = kept["scores"]["perfect"]["Dice at ED and ES"]
    assert truth["truth"]["value"] == 1.0
    # The truth, scored like a model, is near what two rounds predict of a perfect one.
    assert abs(truth["one"]["value"] - truth["bound"]["value"]) < 0.03
    out = capsys.readouterr().out
    assert all(out.count(f"| {name} |") == 3 for name in SHOWN)
    assert (tmp_path / "closing_the_loop.png").exists()
