"""Checks of rows: leverage, weights, rows far off the fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elltwo.diagnosing.check import Check, found, number
from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding
from elltwo.facts.seen import SeenRows
from elltwo.selecting.loo import loo_residuals

TIMES = 2.5  # the average leverage is df/n
LEVERAGE = 0.5  # Huber, Robust Statistics (1981), §7.2: a row that decides half of its own prediction
SHARE = 0.1
FAR = 6.0  # in robust standard deviations of the leave-one-out residuals
FEWEST = 20  # rows that say what is usual


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
    return high_leverage(h[top], limit, many_rows(high.size, "decides", "decide"), view.row(top))


def high_leverage(value: float, limit: float, rows: str, strongest: str) -> list[Finding]:
    """The finding about rows of large leverage, wherever they were seen; ``rows`` are a subject and its verb."""
    return found(
        "high-leverage", "warning", value, limit,
        f"{rows} more than half of their own prediction; the strongest is {strongest} (leverage {value:.2f}).",
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
    usual = usual_size(e[np.isfinite(e)]) if view.rows >= FEWEST else 0.0
    return far_from(e, usual, view.row, many_rows)


def usual_size(e: np.ndarray) -> float:
    """A robust standard deviation from sizes (n,) of residuals; 0 of none."""
    return float(np.median(e)) / 0.6745 if e.size else 0.0


def far_from(
    e: np.ndarray, usual: float, named: Callable[[int], str], counted: Callable[[int, str, str], str]
) -> list[Finding]:
    """The finding about rows whose left-out residuals have sizes e (n,) far beyond the usual one, wherever seen."""
    far = np.flatnonzero(e > FAR * usual)
    if usual == 0 or not far.size:
        return []
    top = int(far[np.argmax(e[far])])
    return found(
        "far-rows", "info", e[top] / usual, FAR,
        f"{counted(far.size, 'lies', 'lie')} far from what the others predict; the farthest, {named(top)}, "
        f"is off by {number(float(e[top]))}, {e[top] / usual:.0f} times the usual error.",
        "Look at these rows; squared error lets them weigh more than the others.",
    )  # fmt: skip


def many_rows(count: int, one: str, many: str) -> str:
    """``count`` rows as the subject of a sentence, with their verb."""
    return f"One row {one}" if count == 1 else f"{count} rows {many}"


def seen_rows(seen: SeenRows, df: float, which: int = 0) -> list[Finding]:
    """The findings about rows of a table that was read again for them; limits as for rows at hand.

    ``df`` are the degrees of freedom of target ``which``.
    """

    def counted(count: int, one: str, many: str) -> str:
        return f"{'At least ' if count >= seen.strongest else ''}{many_rows(count, one, many)}"

    def named(at: int) -> str:
        return f"data row {seen.number[at] + 1}"

    h, limit = seen.leverage[:, which], max(LEVERAGE, TIMES * df / seen.rows)
    high, top = int(np.sum(h > limit)), int(np.argmax(h))
    pulling = (
        high_leverage(h[top], limit, counted(high, "decides", "decide"), named(top))
        if high and limit < 1
        else []
    )
    e = np.abs(seen.left_out[:, which])
    sampled = e[seen.sampled & np.isfinite(e)]
    usual = usual_size(sampled) if sampled.size >= FEWEST else 0.0
    return [*pulling, *far_from(e, usual, named, counted)]


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
