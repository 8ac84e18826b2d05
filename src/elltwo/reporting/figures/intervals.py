"""The figure of coefficients: with regularization and its interval, and without."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import empty, numbers
from elltwo.reporting.figures.style import ACCENT, FAINT, INK, ORANGE, SIZE, canvas, styled
from elltwo.reporting.words import distinct, num

MOST = 24


@styled
def coefficients(report: dict[str, Any]) -> Any:
    """The largest effects of one standard deviation, their intervals, and what they were without regularization."""
    table = report["coefficients"]
    rows = table["rows"][:MOST]
    figure, ax = canvas(4.9, max(1.6, 0.95 + 0.235 * len(rows)))
    if not rows:
        empty(ax, "There are no columns.")
        return figure
    value = np.array([num(r["effect"]) for r in rows])
    low = np.array([num(r["low"]) * r["unit"] for r in rows])
    high = np.array([num(r["high"]) * r["unit"] for r in rows])
    plain = np.array([num(r["plain_effect"]) for r in rows])
    y = np.arange(len(rows))[::-1]
    ax.axvline(0, color=FAINT, lw=1.0, zorder=1)
    if np.isfinite(low).any():
        ax.hlines(y, low, high, color=ACCENT, lw=2.6, alpha=0.45, label=f"{table['level']:.0%} interval")
    limits = _limits(np.concatenate([value, low[np.isfinite(low)], high[np.isfinite(high)]]), plain)
    inside = (plain >= limits[0]) & (plain <= limits[1])
    ring = {"mfc": "none", "mec": ORANGE, "ms": 5, "mew": 1.2, "zorder": 2.5}
    ax.plot(plain[inside], y[inside], "o", label="no regularization", **ring)
    _beyond(ax, y[~inside], plain[~inside], limits)
    ax.plot(value, y, "o", color=ACCENT, ms=5.5, zorder=3, label="chosen λ", gid="effects")
    _frame(ax, y, rows, limits)
    ax.set_xlabel("effect of one standard deviation" if table["known_sd"] else "coefficient")
    figure.legend(loc="outside lower center", ncol=4, handlelength=1.0, columnspacing=0.9, handletextpad=0.5)
    return figure


def _frame(ax: Any, y: np.ndarray, rows: list[dict[str, Any]], limits: tuple[float, float]) -> None:
    """Limits, the names of the columns, and vertical lines to read values by."""
    ax.set_xlim(*limits)
    ax.set_ylim(-0.7, len(rows) - 0.3)
    names = distinct([r["name"] for r in rows], 20)
    marked = [n + (" (free)" if r["free"] else "") for n, r in zip(names, rows, strict=True)]
    ax.set_yticks(y, marked, color=INK)
    ax.tick_params(axis="y", labelsize=SIZE - 1)
    ax.grid(False)
    ax.grid(True, axis="x")
    numbers(ax, "x")


def _beyond(ax: Any, y: np.ndarray, plain: np.ndarray, limits: tuple[float, float]) -> None:
    """Triangles at the edge for unregularized values beyond it, named once in the legend."""
    look = {"color": ORANGE, "ms": 4.5, "ls": "none", "zorder": 2.5, "clip_on": False}
    for side, marker in ((0, "<"), (1, ">")):
        there = y[(plain > 0) == bool(side)]
        named = "beyond the edge" if side == int(plain.size and plain[0] > 0) else "_"
        if there.size:
            ax.plot(np.full(there.size, limits[side]), there, marker, label=named, **look)


def _limits(values: np.ndarray, plain: np.ndarray) -> tuple[float, float]:
    """Room for every interval, and for unregularized values up to twice as far out."""
    low, high = min(float(np.nanmin(values)), 0.0), max(float(np.nanmax(values)), 0.0)
    far = 2 * max(-low, high)
    near = plain[np.abs(plain) <= far]
    low, high = min(low, near.min(initial=0.0)), max(high, near.max(initial=0.0))
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room
