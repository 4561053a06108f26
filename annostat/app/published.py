"""The reviewer's calculator: published numbers become a command."""

from __future__ import annotations

from collections.abc import Mapping

from annostat.errors import AnnostatError

READINGS = {
    "": "not said",
    "between-sessions": "difference of two sessions",
    "session-vs-mean": "session about their mean",
    "noise-sd": "one annotation's noise",
    "mean-item-sd": "mean SD within an item",
}
# Field of the form: option of `annostat bounds` and what it is, in the order of the page.
NUMBERS = {
    "sd": "SD",
    "correlation": "correlation of two sessions",
    "n": "patients behind it",
    "score-rmse": "RMSE of the paper's model",
    "score-correlation": "or its correlation",
    "score-n": "items that it was scored on",
}
# What an empty field would add.
WANTED = {
    "n": "Give the number of patients for an interval.",
    "score-n": "Give the model's score and its items to see whether the score is possible.",
}


def arguments(form: Mapping[str, str]) -> list[str]:
    """Return the arguments of `annostat bounds` for the fields that are filled in.

    Raises
    ------
    AnnostatError
        If a field is no number, the reading is unknown, or there is neither an SD nor a
        correlation.
    """
    given = {name: form.get(name, "").strip() for name in NUMBERS}
    if not (given["sd"] or given["correlation"]):
        raise AnnostatError("give the SD or the correlation that the paper prints")
    args = []
    for name, text in given.items():
        if not text:
            continue
        try:
            float(text)
        except ValueError:
            point = text.replace(",", ".", 1)
            cure = f"; write {point}" if text.count(",") == 1 and "." not in text else ""
            raise AnnostatError(f"{NUMBERS[name]} must be a number, got {text!r}{cure}") from None
        args.append(f"--{name}={text}")
    reading = form.get("convention", "")
    if reading not in READINGS:
        raise AnnostatError(f"the SD's reading must be one of the list, got {reading!r}")
    if reading:
        args.append(f"--convention={reading}")
    if form.get("tails") == "heavy":
        args.append("--kurtosis=6")
    if unit := form.get("unit", "").strip():
        args.append(f"--unit={unit}")
    return args


def missing(form: Mapping[str, str]) -> list[str]:
    """Return what fields that are empty would add."""
    return [text for name, text in WANTED.items() if not form.get(name, "").strip()]
