"""A command whose options take as many values as follow them."""

from __future__ import annotations

import re
from pathlib import Path

import click

from annostat.results.markup import FORMS

TYPED = "annostat.typed"  # where a command finds the arguments as they were typed
LONGEST = 40  # characters of an option and what it takes, on the help page
SEVERAL = (
    "--rounds",
    "--item",
    "--missing",
    "--model",
    "--order",
)  # options that take as many values as follow


class Command(click.Command):
    """A command some of whose options take as many values as follow them, as --rounds does."""

    several: tuple[str, ...] = SEVERAL

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Turn ``--rounds A B`` into ``--rounds A --rounds B`` before click parses it."""
        ctx.meta[TYPED] = tuple(args)
        spread: list[str] = []
        rest = iter(range(len(args)))
        for i in rest:
            option = args[i]
            if option == "--cite" and (i + 1 == len(args) or args[i + 1] not in FORMS):
                spread += [option, FORMS[0]]
                continue
            if option not in self.several:
                spread.append(option)
                continue
            values: list[str] = []
            while i + 1 + len(values) < len(args) and not _is_option(args[i + 1 + len(values)]):
                value = args[i + 1 + len(values)]
                if option == "--model" and values and self.is_source(value, spread):
                    break
                values.append(value)
                next(rest)
            if not values:
                what = "the names of two or more columns" if option == "--rounds" else "a value"
                raise click.UsageError(f"{option} needs {what}", ctx)
            has_input = any(not _is_option(a) for a in spread[:1]) or "--example" in args
            least = 3 if option == "--rounds" else 2
            if not has_input and len(values) >= least and Path(values[-1]).exists():
                spread.append(values.pop())
            for value in values:
                spread += [option, value]
        return super().parse_args(ctx, spread)

    def is_source(self, value: str, before: list[str]) -> bool:
        """Return whether what follows the name of a model is one more folder of masks.

        Of a table it is one more model, whatever lies in the working folder under its name.
        """
        return bool(before) and Path(before[0]).is_dir() and Path(value).exists()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options; those that take one of many words name them beside the help."""
        rows = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is None:
                continue
            flags, text = record
            words = getattr(param.type, "choices", ())
            listed = f"[{'|'.join(map(str, words))}]"
            if len(flags) > LONGEST and words and listed in flags:
                flags = flags.replace(listed, "NAME")
                text = f"{text} One of: {', '.join(map(str, words))}."
            rows.append((flags, text))
        with formatter.section("Options"):
            formatter.write_dl(rows)


def _is_option(text: str) -> bool:
    """Return whether an argument is an option; "-" is standard input, "-999" may be a marker."""
    return text.startswith("-") and re.fullmatch(r"-(\d+(\.\d*)?)?", text) is None
