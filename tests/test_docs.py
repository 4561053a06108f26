"""The documentation says what the code does."""

from pathlib import Path

from annostat.noise import FAMILIES

ROOT = Path(__file__).parent.parent


def families_page():
    """Return docs/families.md as the families declare themselves."""
    lines = [
        "# Families of the core",
        "",
        "Each law is symmetric on the whole numbers; the first parameter is its scale.",
        "",
        "| `--core` | law | weight of x ≥ 0 | parameters |",
        "|---|---|---|---|",
    ]
    for f in FAMILIES.values():
        names = ", ".join(
            f"`{p.name}` ({p.meaning}; {p.low:g} to {p.high:g})" for p in f.parameters
        )
        formula = f.formula.replace("|", "\\|")
        lines.append(f"| `{f.name}` | {f.label} | {formula} | {names} |")
    return "\n".join(lines) + "\n"


def test_families_page_is_current():
    assert (ROOT / "docs" / "families.md").read_text(encoding="utf-8") == families_page()
