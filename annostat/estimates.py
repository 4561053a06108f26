"""The old home of estimates, checks and provenance; for one release."""

from annostat._names import attach

__getattr__, __dir__ = attach(
    __name__,
    {},
    old=dict.fromkeys(
        ["Check", "Estimate", "Interval", "Provenance", "Result", "Section", "plain"],
        "annostat.results",
    ),
)
