"""The old home of `Rounds` and the readers of tables; for one release."""

from annostat._names import attach

__getattr__, __dir__ = attach(
    __name__,
    {},
    old={
        "Rounds": "annostat.labels",
        "read_rounds": "annostat.tables",
        "read_table": "annostat.tables",
    },
)
