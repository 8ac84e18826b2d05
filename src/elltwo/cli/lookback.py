"""What a stream's second pass saw, in words and as data: rows of large leverage, rows far off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.facts.finding import Finding
from elltwo.facts.solution import Solution

if TYPE_CHECKING:
    from elltwo.cli.fitting import Fitted
    from elltwo.reporting.parts.rows import RowSample
    from elltwo.scale.leaving import RowFacts

SHOWN = 10
MOST_WORK = 2e8  # rows x directions of a table in memory up to which its rows are gone over for the report
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def row_findings(looked: RowFacts | None, solution: Solution) -> list[Finding]:
    """The findings about rows that a fit in memory has, for the first target; limits as there."""
    if looked is None:
        return []
    return [*_pulling(looked, float(solution.df[0])), *_far(looked)]


def _pulling(looked: RowFacts, df: float) -> list[Finding]:
    from elltwo.diagnosing.rows import LEVERAGE, TIMES, high_leverage

    h, limit = looked.leverage[:, 0], max(LEVERAGE, TIMES * df / looked.rows)
    high = int(np.sum(h > limit))
    if not high or limit >= 1:
        return []
    top = int(np.argmax(h))
    return high_leverage(h[top], limit, _count(high, "decides", "decide"), _named(looked, top))


def _far(looked: RowFacts) -> list[Finding]:
    from elltwo.diagnosing.rows import FEWEST, far_from, usual_size

    e = np.abs(looked.left_out[:, 0])
    sampled = e[looked.sampled & np.isfinite(e)]
    usual = usual_size(sampled) if sampled.size >= FEWEST else 0.0
    return far_from(e, usual, lambda at: _named(looked, at), _count)


def _named(looked: RowFacts, at: int) -> str:
    return f"data row {looked.number[at] + 1}"


def _count(many: int, one: str, more: str) -> str:
    """A second pass keeps so many of the largest: there may be more."""
    from elltwo.diagnosing.rows import many_rows
    from elltwo.scale.looking import STRONGEST

    return f"{'At least ' if many >= STRONGEST else ''}{many_rows(many, one, more)}"


def row_sample(fitted: Fitted) -> RowSample | None:
    """Rows of the first target for the report: those that a second pass kept, or of a table in memory."""
    from elltwo.reporting.parts.rows import RowSample

    looked = fitted.looked
    if looked is not None:
        return RowSample(
            looked.number + 1, looked.fitted[:, 0], looked.left_out[:, 0], looked.leverage[:, 0], looked.sampled,
            looked.rows,
        )  # fmt: skip
    return _sample_of_memory(fitted)


def _sample_of_memory(fitted: Fitted) -> RowSample | None:
    """None where rows were not kept, or where going over them again would cost much."""
    from elltwo.reporting.parts.rows import DRAWN, RowSample
    from elltwo.selecting.loo import leverages, loo_residuals
    from elltwo.tables.folds import splitmix64

    rotated, loaded = fitted.rotated, fitted.loaded
    if rotated.spectrum.rows is None or fitted.rows * rotated.spectrum.s.size > MOST_WORK:
        return None
    s = fitted.solution
    fit = loaded.X @ s.coef[:, 0] + s.intercept[0]
    e, h = loo_residuals(rotated, s.alpha)[:, 0], leverages(rotated, float(s.alpha[0]))
    sampled = np.zeros(fitted.rows, dtype=bool)
    sampled[np.argsort(splitmix64(loaded.design.rows.astype(np.uint64)))[:DRAWN]] = True
    return RowSample(loaded.design.rows + 1, fit, e, h, sampled, fitted.rows)


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
