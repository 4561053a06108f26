"""Write the simulated tables that the documentation uses: python docs/data/make.py."""

from pathlib import Path

import numpy as np
import pandas as pd

from annostat import NoiseModel, simulate_rounds

HERE = Path(__file__).parent


def picks() -> pd.DataFrame:
    """Return two rounds of ED and ES frames of 200 patients, and a model's picks. Simulated."""
    rng = np.random.default_rng(2026)
    parts = []
    for phase, mae in (("ED", 2.4), ("ES", 2.0)):
        law = NoiseModel.with_mae(
            "laplace", mae, abandonment="independent", abandonment_rate=1 / 300, window=50
        )
        truth = rng.integers(40, 160, 200)
        rounds = simulate_rounds(law, 200, truth=truth, rng=rng)
        table = pd.DataFrame(rounds.values.astype(int), columns=["first", "second"])
        model = truth + np.rint(rng.normal(0, 1, 200)).astype(int)
        table.insert(0, "patient", [f"P{i:03d}" for i in range(200)])
        table.insert(0, "phase", phase)
        table.insert(0, "clip", [f"P{i:03d}-{phase}" for i in range(200)])
        table["model"] = model
        table["fps"] = np.repeat([50, 30], [150, 50])
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def ejection_fractions() -> pd.DataFrame:
    """Return two readings of EF of 400 patients, and three models. Simulated."""
    rng = np.random.default_rng(7)
    truth = np.clip(rng.normal(56, 11, 400), 10, 80)
    noise = rng.laplace(0, 4 / np.sqrt(2), (400, 2))
    table = pd.DataFrame({"patient": [f"P{i:03d}" for i in range(400)]})
    table["first"], table["second"] = (truth[:, None] + noise).round(1).T
    table["small"] = (truth + rng.normal(0, 5, 400)).round(1)
    table["large"] = (truth + rng.normal(0, 1.2, 400)).round(1)
    # This one was trained on the first reading and has learned a part of its noise.
    table["leaky"] = (truth + 0.4 * noise[:, 0] + rng.normal(0, 1.2, 400)).round(1)
    return table


def errors() -> pd.DataFrame:
    """Return two models' errors of EF against the first of two readings. Simulated.

    On ten of the 400 patients the model "ours" was given another patient's clip.
    """
    rng = np.random.default_rng(8)
    table = ejection_fractions()
    table["ours"] = (table["large"] - table["first"]).round(1)
    table["theirs"] = (table["small"] - table["first"]).round(1)
    swapped = rng.choice(400, 10, replace=False)
    table.loc[swapped, "ours"] += np.round(rng.normal(0, 25, 10), 1)
    table["swapped"] = np.isin(np.arange(400), swapped)
    return table[["patient", "first", "second", "ours", "theirs", "swapped"]]


def teams() -> pd.DataFrame:
    """Return what twenty teams of a challenge predict for the patients of ef.csv. Simulated."""
    rng = np.random.default_rng(11)
    truth = np.clip(np.random.default_rng(7).normal(56, 11, 400), 10, 80)  # that of ef.csv
    errors = [1, 1, 1.5, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4, 4, 4.5, 5, 5, 6, 6, 7, 8, 10]
    shared = rng.normal(0, 0.5, 400)
    table = pd.DataFrame({"patient": [f"P{i:03d}" for i in range(400)]})
    for name, error in zip(rng.permutation(20) + 1, errors, strict=True):
        table[f"team{name:02d}"] = (truth + shared + rng.normal(0, error, 400)).round(1)
    return table[["patient", *sorted(table.columns[1:])]]


if __name__ == "__main__":
    picks().to_csv(HERE / "picks.csv", index=False)
    ejection_fractions().to_csv(HERE / "ef.csv", index=False)
    errors().drop(columns="swapped").to_csv(HERE / "errors.csv", index=False)
    errors().query("swapped")[["patient"]].to_csv(HERE / "swapped.csv", index=False)
    teams().to_csv(HERE / "teams.csv", index=False)
