"""Every finding that can come out of a fit: the list behind ``docs/reference/findings.md``."""

from __future__ import annotations

from elltwo.diagnosing import choice, columns, numerics, rows
from elltwo.diagnosing.check import Check

CHECKS: dict[str, Check] = {
    check.code: check for check in (*choice.CHECKS, *columns.CHECKS, *numerics.CHECKS, *rows.CHECKS)
}


def as_markdown() -> str:
    """The table of the reference page."""
    lines = ["| code | severity | what it says | number | threshold |", "|---|---|---|---|---|"]
    lines += [
        f"| `{c.code}` | {c.severity} | {c.means} | {c.number} | {c.threshold or '–'} |"
        for c in CHECKS.values()
    ]
    return "\n".join(lines)
