"""Figures of a banded fit: what each group gives, how strongly it is shrunk, how the search went."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import numbers
from elltwo.reporting.figures.style import ACCENT, FAINT, INK, MUTED, ORANGE, SIZE, canvas, styled
from elltwo.reporting.words import distinct, nums, power

MOST = 24  # groups that are drawn, those that give most


@styled
def shares(report: dict[str, Any]) -> Any:
    """Bars of each group's contribution to R², on the fitted rows and on those held out."""
    rows = report["groups"][:MOST]
    figure, ax = canvas(4.9, max(1.8, 1.15 + 0.3 * len(rows)))
    y = np.arange(len(rows))[::-1]
    fitted, held = nums([r["split"] for r in rows]), nums([r["held"] for r in rows])
    both = bool(np.isfinite(held).any())
    high = 0.36 if both else 0.6
    ax.axvline(0, color=FAINT, lw=1.0, zorder=1)
    ax.barh(y + (high / 2 if both else 0), fitted, high, color=ACCENT, label="rows fitted", zorder=2)
    if both:
        ax.barh(y - high / 2, held, high, color=ORANGE, label="rows held out", zorder=2)
        figure.legend(loc="outside lower center", ncol=2, handlelength=1.2)
    _names(ax, y, rows)
    numbers(ax, "x")
    ax.set_xlabel("contribution to R²")
    return figure


@styled
def strengths(report: dict[str, Any]) -> Any:
    """λ of each group, a dot per target, on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    rows = report["groups"][:MOST]
    figure, ax = canvas(4.9, max(1.8, 1.15 + 0.3 * len(rows)))
    y = np.arange(len(rows))[::-1]
    for at, row in zip(y, rows, strict=True):
        values = nums(row["alphas"])
        ax.plot([values.min(), values.max()], [at, at], color=FAINT, lw=2.4, zorder=1.5)
        ax.plot(values, np.full(values.size, at), "o", color=ACCENT, ms=5.5, zorder=3, clip_on=False)
    _names(ax, y, rows)
    ax.set_xscale("log")
    everything = np.concatenate([nums(r["alphas"]) for r in rows])
    low, high = np.log10(everything.min()), np.log10(everything.max())
    middle, reach = (low + high) / 2, max((high - low) * 0.56, 0.7)
    ax.set_xlim(10 ** (middle - reach), 10 ** (middle + reach))
    decades = np.arange(np.ceil(middle - reach), np.floor(middle + reach) + 1)
    ax.set_xticks(list(10.0 ** decades[:: max(1, -(-decades.size // 6))]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: power(np.log10(v))))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("λ of the group: shrunk more →")
    return figure


@styled
def search(report: dict[str, Any]) -> Any:
    """The rule's value above its least after every step, on a square-root scale."""
    figure, ax = canvas(4.9, 2.9)
    trace = nums(report["trace"])
    above = np.sqrt(np.maximum(trace - trace.min(), 0.0))
    ax.plot(np.arange(1, trace.size + 1), above, ".-", color=MUTED)
    ax.plot([trace.size], [above[-1]], "o", color=ACCENT, ms=6, clip_on=False)
    ax.set_ylim(bottom=-0.03 * (above.max() or 1.0))
    numbers(ax)
    numbers(ax, "x")
    ax.set_xlabel("step of the search")
    ax.set_ylabel("above its least (√ scale)")
    return figure


def _names(ax: Any, y: np.ndarray, rows: list[dict[str, Any]]) -> None:
    ax.set_yticks(y, distinct([r["name"] for r in rows], 16), color=INK)
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.tick_params(axis="y", labelsize=SIZE - 1)
    ax.grid(False)
    ax.grid(True, axis="x")
