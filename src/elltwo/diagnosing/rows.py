"""Checks of rows: leverage, weights, rows far off the fit."""

from __future__ import annotations

import numpy as np

from elltwo.diagnosing.check import Check, found, number
from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding
from elltwo.selecting.loo import loo_residuals

TIMES = 2.5  # the average leverage is df/n
LEVERAGE = 0.5  # Huber, Robust Statistics (1981), §7.2: a row that decides half of its own prediction
SHARE = 0.1
FAR = 6.0  # in robust standard deviations of the leave-one-out residuals


def leverage(view: View) -> list[Finding]:
    """Rows that draw the fit to themselves."""
    h = view.leverages
    limit = max(LEVERAGE, TIMES * float(view.solution.df[view.which]) / view.rows)
    if h is None or limit >= 1:
        return []
    high = np.flatnonzero(h > limit)
    if not high.size:
        return []
    top = int(np.argmax(h))
    return found(
        "high-leverage", "warning", h[top], limit,
        f"{_rows(high.size, 'decides', 'decide')} more than half of their own prediction; the strongest is "
        f"{view.row(top)} (leverage {h[top]:.2f}).",
        "Check these rows for errors and see whether the answer stands without them.",
    )  # fmt: skip


def weights(view: View) -> list[Finding]:
    """Kish's effective number of rows, (Σw)²/Σw²."""
    root = view.rotated.spectrum.root
    if root is None:
        return []
    w = root**2
    effective = float(w.sum() ** 2 / np.sum(w**2))
    if effective >= SHARE * view.rows:
        return []
    return found(
        "few-rows-dominate", "warning", effective / view.rows, SHARE,
        f"The weights make {view.rows} rows worth about {effective:.0f}: a few heavy rows decide the fit.",
        "Check the weights for errors or units, or cap the largest.",
    )  # fmt: skip


def far_rows(view: View) -> list[Finding]:
    """Leave-one-out residuals far beyond the others."""
    if view.leverages is None:
        return []
    e = np.abs(loo_residuals(view.rotated, view.solution.alpha)[:, view.which])
    spread = float(np.median(e[np.isfinite(e)])) / 0.6745 if np.isfinite(e).any() else 0.0
    if spread == 0 or view.rows < 20:
        return []
    far = np.flatnonzero(e > FAR * spread)
    if not far.size:
        return []
    top = far[np.argmax(e[far])]
    return found(
        "far-rows", "info", e[top] / spread, FAR,
        f"{_rows(far.size, 'lies', 'lie')} far from what the others predict; the farthest, {view.row(int(top))}, "
        f"is off by {number(float(e[top]))}, {e[top] / spread:.0f} times the usual error.",
        "Look at these rows; squared error lets them weigh more than the others.",
    )  # fmt: skip


def _rows(count: int, one: str, many: str) -> str:
    return f"One row {one}" if count == 1 else f"{count} rows {many}"


CHECKS = (
    Check(
        "high-leverage",
        "Rows that decide more than half of their own prediction.",
        "largest leverage",
        "0.5, or 2.5 df/n if that is more",
        "warning",
        leverage,
    ),
    Check(
        "few-rows-dominate",
        "Weights so unequal that few rows decide (Kish's effective number of rows).",
        "effective share of rows",
        "0.1",
        "warning",
        weights,
    ),
    Check(
        "far-rows",
        "Leave-one-out residuals beyond six robust standard deviations.",
        "robust standard deviations",
        "6",
        "info",
        far_rows,
    ),
)
