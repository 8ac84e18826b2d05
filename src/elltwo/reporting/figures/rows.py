"""Figures of rows: what is left over against the fit, and against how far a row draws the fit to itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import numbers, zero_line
from elltwo.reporting.figures.style import ACCENT, ORANGE, SIZE, canvas, styled
from elltwo.reporting.words import nums, printable

NAMED = 3
WIDE, HIGH = 70.0, 12.0  # points that a name takes


@styled
def residuals(report: dict[str, Any]) -> Any:
    """Leave-one-out residuals over fitted values; the largest are named."""
    data = report["rows"]
    return _scatter(report, nums(data["fitted"]), np.abs(nums(data["left_out"])), "fitted value")


@styled
def leverages(report: dict[str, Any]) -> Any:
    """Leave-one-out residuals over leverages; the largest leverages are named."""
    h = nums(report["rows"]["leverage"])
    return _scatter(report, h, h, "leverage: share of its own prediction")


def _scatter(report: dict[str, Any], x: np.ndarray, rank: np.ndarray, label: str) -> Any:
    figure, ax = canvas()
    data = report["rows"]
    y, number = nums(data["left_out"]), data["number"]
    good = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    zero_line(ax)
    ax.plot(x[good], y[good], "o", color=ACCENT, ms=2.6, mew=0, alpha=0.45, zorder=2)
    top = good[np.argsort(-rank[good], kind="stable")][:NAMED]
    ax.plot(x[top], y[top], "o", color=ORANGE, ms=5, mfc="none", zorder=3)
    _names(ax, x[top], y[top], [f"row {int(number[i]):,}" for i in top])
    numbers(ax, "x")
    numbers(ax)
    ax.set_xlabel(label)
    unit = f"{printable(report['target'])}: observed − predicted"
    ax.set_ylabel(unit if len(unit) < 42 else "observed − predicted")
    return figure


def _names(ax: Any, x: np.ndarray, y: np.ndarray, names: list[str]) -> None:
    """Names beside points, on the side with more room; one that would cover another is left out."""
    ax.figure.draw_without_rendering()
    middle, placed = np.mean(ax.get_xlim()), np.empty((0, 2))
    for at, name in zip(zip(x.tolist(), y.tolist(), strict=True), names, strict=True):
        here = ax.transData.transform(at) * 72 / ax.figure.dpi
        away = np.abs(placed - here)
        if np.any((away[:, 0] < WIDE) & (away[:, 1] < HIGH)):
            continue
        placed, left = np.vstack([placed, here]), at[0] > middle
        ax.annotate(
            name, at, xytext=(-6 if left else 6, 3), textcoords="offset points", ha="right" if left else "left",
            color=ORANGE, fontsize=SIZE - 1.5,
        )  # fmt: skip
