"""A decay plan as text: a line per tensor, each reason once, in a given width."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from elltwo.facts.decayrow import PlanRow

_MARK = {"proven": "yes", "approximate": "~yes", "no": "no", "unknown": "?"}


def plan_table(rows: Sequence[PlanRow], summary: str, notes: Sequence[str], width: int = 80) -> str:
    """Summary, rows (name, shape, role, invariant, weight decay, reason number), reasons, notes."""
    reasons = list(dict.fromkeys(r.reason for r in rows))
    shape = max([5, *(len(_shape(r)) for r in rows)])
    name = max(12, width - shape - 42)
    head = f"{'parameter':<{name}} {'shape':<{shape}} {'role':<21} {'inv':<4} {'decay':>7} {'why':>4}"
    lines = [*wrap(summary, width), "", head, "-" * len(head)]
    for row in rows:
        mark = "dead" if row.dead else _MARK[row.scale_invariant]
        lines.append(
            f"{_clip(row.name, name):<{name}} {_shape(row):<{shape}} {row.role:<21} {mark:<4} "
            f"{row.strength:>7.4g} {f'[{reasons.index(row.reason) + 1}]':>4}"
        )
    lines.append("")
    for i, reason in enumerate(reasons, 1):
        lines += wrap(reason, width, initial_indent=f"[{i}] ", subsequent_indent="    ")
    for note in notes:
        lines += wrap(note, width, initial_indent="Note: ", subsequent_indent="      ")
    return "\n".join(lines)


def _shape(row: PlanRow) -> str:
    return "x".join(map(str, row.shape)) or "scalar"


def _clip(name: str, width: int) -> str:
    return name if len(name) <= width else "…" + name[1 - width :]
