"""What a stream's second pass saw, in words and as data: rows of large leverage, rows far off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.facts.finding import Finding
from elltwo.facts.solution import Solution

if TYPE_CHECKING:
    from elltwo.scale.leaving import RowFacts

SHOWN = 10
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def row_findings(looked: RowFacts | None, solution: Solution) -> list[Finding]:
    """The findings about rows that a fit in memory has, for the first target; limits as there."""
    if looked is None:
        return []
    return [*_pulling(looked, float(solution.df[0])), *_far(looked)]


def _pulling(looked: RowFacts, df: float) -> list[Finding]:
    from elltwo.diagnosing.check import found
    from elltwo.diagnosing.rows import LEVERAGE, TIMES

    h, limit = looked.leverage[:, 0], max(LEVERAGE, TIMES * df / looked.rows)
    high = int(np.sum(h > limit))
    if not high or limit >= 1:
        return []
    top = int(np.argmax(h))
    return found(
        "high-leverage", "warning", h[top], limit,
        f"{_count(high, 'decides', 'decide')} more than half of their own prediction; the strongest is "
        f"data row {looked.number[top] + 1} (leverage {h[top]:.2f}).",
        "Check these rows for errors and see whether the answer stands without them.",
    )  # fmt: skip


def _far(looked: RowFacts) -> list[Finding]:
    from elltwo.diagnosing.check import found, number
    from elltwo.diagnosing.rows import FAR

    e = np.abs(looked.left_out[:, 0])
    usual = e[looked.sampled & np.isfinite(e)]
    spread = float(np.median(usual)) / 0.6745 if usual.size >= 20 else 0.0
    if spread == 0:
        return []
    far = np.flatnonzero(e > FAR * spread)
    if not far.size:
        return []
    top = far[np.argmax(e[far])]
    return found(
        "far-rows", "info", e[top] / spread, FAR,
        f"{_count(far.size, 'lies', 'lie')} far from what the others predict; the farthest, data row "
        f"{looked.number[top] + 1}, is off by {number(float(e[top]))}, {e[top] / spread:.0f} times the usual error.",
        "Look at these rows; squared error lets them weigh more than the others.",
    )  # fmt: skip


def _count(many: int, one: str, more: str) -> str:
    from elltwo.scale.looking import STRONGEST

    if many == 1:
        return f"One row {one}"
    return f"{'At least ' if many >= STRONGEST else ''}{many} rows {more}"


def rows_as_data(looked: RowFacts) -> dict[str, Any]:
    """What ``--json`` prints, of the first target: rows from 1, and quantiles of the sampled errors."""
    e, h = looked.left_out[:, 0], looked.leverage[:, 0]

    def rows(order: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"row": int(looked.number[i]) + 1, "leverage": float(h[i]), "left_out_residual": float(e[i])}
            for i in order[:SHOWN]
        ]

    sampled = e[looked.sampled]
    return {
        "rows": looked.rows,
        "sampled": int(looked.sampled.sum()),
        "largest_leverages": rows(np.argsort(-h, kind="stable")),
        "largest_errors": rows(np.argsort(-np.abs(e), kind="stable")),
        "left_out_residual_quantiles": {f"{q:g}": float(np.quantile(sampled, q)) for q in QUANTILES},
    }
