"""Figures of a fit by conjugate gradients over a grid of strengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import numbers, side_labels, strength_axis, zero_line
from elltwo.reporting.figures.style import ACCENT, FAINT, GREEN, MUTED, ORANGE, SERIES, canvas, styled
from elltwo.reporting.words import nums, power

FIVE = 5.0  # scores beyond this many times the best leave the picture


@styled
def criterion(report: dict[str, Any]) -> Any:
    """The rule's score over λ with one standard error, the choice marked."""
    figure, ax = canvas()
    alphas, score, error = (nums(report["curve"][k]) for k in ("alphas", "score", "error"))
    ax.plot(alphas, score, ".-", color=ACCENT, zorder=2)
    _error_bars(ax, report, alphas, score, error)
    best = int(np.argmin(score))
    ax.plot([alphas[best]], [score[best]], "o", color=ACCENT, ms=7, zorder=3)
    seen = score[score <= FIVE * score[best]]
    room = 0.1 * (float(seen.max()) - score[best]) or 0.1 * abs(score[best]) or 1.0
    ax.set_ylim(score[best] - room - (error[best] if error.size else 0.0), float(seen.max()) + room)
    strength_axis(ax, report)
    numbers(ax)
    ax.set_ylabel(report["curve"]["unit"])
    return figure


@styled
def freedom(report: dict[str, Any]) -> Any:
    """Estimated degrees of freedom over λ, with their standard error over probes."""
    figure, ax = canvas()
    alphas, df, error = nums(report["curve"]["alphas"]), nums(report["df"]), nums(report["df_error"])
    ax.plot(alphas, df, ".-", color=GREEN, zorder=2)
    _error_bars(ax, report, alphas, df, error)
    strength_axis(ax, report)
    numbers(ax)
    ax.set_ylabel("degrees of freedom")
    return figure


def _error_bars(
    ax: Any, report: dict[str, Any], alphas: np.ndarray, values: np.ndarray, error: np.ndarray
) -> None:
    """One standard error around values over λ, where the report has any."""
    if not error.size:
        return
    ax.errorbar(
        alphas, values, error, fmt="none", ecolor=MUTED, elinewidth=1.1, capsize=2.5, zorder=1.8,
        label=f"one standard error over {report['repeats']}",
    )  # fmt: skip
    ax.figure.legend(loc="outside lower center", handlelength=1.2)


@styled
def path(report: dict[str, Any]) -> Any:
    """The largest coefficients over λ."""
    figure, ax = canvas()
    alphas, data = nums(report["curve"]["alphas"]), report["path"]
    zero_line(ax)
    labels = []
    for column, colour in zip(data, SERIES, strict=False):
        values = nums(column["values"])
        ax.plot(alphas, values, color=colour)
        labels.append((column["name"], float(values[0]), colour))
    strength_axis(ax, report)
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ax.spines["left"].set_visible(False)
    numbers(ax)
    ax.set_ylabel("coefficient")
    side_labels(ax, labels)
    return figure


@styled
def work(report: dict[str, Any]) -> Any:
    """Products with the design that each strength took, the strongest first solved."""
    figure, ax = canvas(4.9, 2.9)
    alphas, steps = nums(report["curve"]["alphas"]), nums(report["steps"])
    ax.vlines(alphas, 0, steps, color=FAINT, lw=2.0)
    ax.plot(alphas, steps, "o", color=ACCENT, ms=5)
    strength_axis(ax, report, mark=False)
    ax.set_ylim(0, 1.1 * max(float(steps.max()), 1.0))
    numbers(ax)
    ax.set_ylabel("products with the design")
    return figure


@styled
def residuals(report: dict[str, Any]) -> Any:
    """The relative residual that each strength reached, beside the one asked for."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    figure, ax = canvas(4.9, 2.9)
    alphas, residual = nums(report["curve"]["alphas"]), nums(report["residual"])
    ax.plot(alphas, np.maximum(residual, 1e-17), "o", color=ACCENT, ms=5, label="reached")
    ax.axhline(report["tol"], color=ORANGE, lw=1.2, ls="--", label="asked for")
    ax.set_yscale("log")
    live = residual[residual > 0]
    low = float(live.min()) if live.size else report["tol"]
    ax.set_ylim(
        10 ** np.floor(np.log10(low / 2)), 10 ** np.ceil(np.log10(2 * max(residual.max(), report["tol"])))
    )
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: power(np.log10(v))))
    ax.yaxis.set_minor_locator(NullLocator())
    strength_axis(ax, report, mark=False)
    ax.set_ylabel("relative residual")
    figure.legend(loc="outside lower center", ncol=2, handlelength=1.4)
    return figure
