"""Figures of a fit whose unknowns are no columns of a table: Picard plot, L-curve, filters, the solution."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures import lines
from elltwo.reporting.figures.style import ACCENT, GREEN, INK, MUTED, ORANGE, canvas, styled
from elltwo.reporting.words import num, nums, power, shown

LOWEST = 1e-3  # of the least singular value or noise: what lies deeper is rounding


@styled
def selection(report: dict[str, Any]) -> Any:
    """The rules' curves, in words that fit where there are no columns."""
    figure = lines.selection(report)
    figure.axes[0].set_yticks([0, 0.5, 1.0], ["best", "", "no use\nof data"])
    return figure


@styled
def picard(report: dict[str, Any]) -> Any:
    """Singular values, data and solution per direction, and the level of the noise."""
    from matplotlib.ticker import MaxNLocator

    figure, ax = canvas()
    data = report["picard"]
    s, seen, solution = nums(data["s"]), nums(data["data"]), nums(data["solution"])
    index, noise = np.arange(1, s.size + 1), num(data["noise"])
    ax.semilogy(index, s, color=MUTED, label="s")
    ax.semilogy(index, seen, "o", ms=3, color=ACCENT, label="|uᵀb|")
    ax.semilogy(index, solution, "x", ms=4, color=ORANGE, label="|uᵀb|/s")
    if noise > 0:
        ax.axhline(noise, color=GREEN, lw=1, ls="--", label="noise")
    live = seen[seen > 0]
    floor = LOWEST * min(float(s[-1]), noise if noise > 0 else np.inf)
    ax.set_ylim(bottom=max(floor, float(live.min()) / 2) if live.size else floor)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _decades(ax.yaxis)
    ax.set_xlabel(
        "bin of directions, the strongest first" if data["bins"] else "direction, the strongest first"
    )
    figure.legend(loc="outside lower center", ncol=4, handlelength=1.4, columnspacing=1.2)
    return figure


@styled
def l_curve(report: dict[str, Any]) -> Any:
    """Length of the solution against the misfit, the choice marked."""
    figure, ax = canvas()
    data = report["l_curve"]
    residual, size, k = nums(data["residual"]), nums(data["size"]), int(data["chosen"])
    ax.loglog(residual, size, color=MUTED)
    ax.loglog(residual[k], size[k], "o", color=ACCENT, ms=7)
    ax.annotate("chosen", (residual[k], size[k]), xytext=(8, 6), textcoords="offset points", color=ACCENT)
    _decades(ax.xaxis)
    _decades(ax.yaxis)
    ax.set_xlabel("misfit: ‖Ax − b‖")
    ax.set_ylabel("size: ‖L(x − x0)‖")
    return figure


@styled
def filters(report: dict[str, Any]) -> Any:
    """How much of each direction is kept."""
    figure, ax = canvas()
    data = report["picard"]
    ax.semilogx(nums(data["s"]), nums(data["filter"]), ".-", color=ACCENT)
    ax.set_ylim(-0.02, 1.05)
    _decades(ax.xaxis)
    ax.set_xlabel("singular value s")
    ax.set_ylabel("share kept, s²/(s² + λ)")
    return figure


@styled
def solution(report: dict[str, Any]) -> Any:
    """The solution as a line."""
    figure, ax = canvas()
    values = nums(report["solution"])
    ax.plot(np.arange(1, values.size + 1), values, color=INK)
    ax.set_xlabel("unknown")
    return figure


def _decades(axis: Any) -> None:
    """Powers of ten, at most seven of them, in words that need no mathematics fonts."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = np.log10(axis.get_view_interval())
    short = high - low < 1.5
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=7))
    axis.set_major_formatter(FuncFormatter(lambda v, _: shown(v) if short else power(np.log10(v))))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
