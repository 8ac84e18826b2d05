"""Rows of large leverage and rows far off, for the report and as data: of a second pass, or of a table in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.facts.seen import SeenRows

if TYPE_CHECKING:
    from elltwo.cli.fitting import Fitted
    from elltwo.reporting.parts.rows import RowSample

SHOWN = 10
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def row_sample(fitted: Fitted) -> RowSample | None:
    """Rows of the first target for the report: those that a second pass kept, or of a table in memory."""
    from elltwo.reporting.parts.rows import rows_at_hand, rows_seen

    if fitted.looked is not None:
        return rows_seen(fitted.looked)
    design = fitted.loaded.design
    return (
        None if design is None else rows_at_hand(fitted.rotated, fitted.solution, design.X, design.rows + 1)
    )


def rows_as_data(looked: SeenRows) -> dict[str, Any]:
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
