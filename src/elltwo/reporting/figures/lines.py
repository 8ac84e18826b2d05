"""Figures over λ: coefficient paths, the rules' curves, bias and variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import empty, numbers, side_labels, strength_axis, zero_line
from elltwo.reporting.figures.style import ACCENT, FAINT, GREEN, MUTED, ORANGE, SERIES, canvas, styled
from elltwo.reporting.words import num, nums, printable, rule_name

NAMED = 8
TOP = 1.25


@styled
def path(report: dict[str, Any]) -> Any:
    """Coefficients over λ, in effects of one standard deviation; the largest at the chosen λ are named."""
    figure, ax = canvas()
    data = report["path"]
    alphas = nums(data["alphas"])
    lines = [(c["name"], nums(c["values"]), c["index"]) for c in data["columns"]]
    zero_line(ax)
    named = lines[:NAMED]
    for _, values, _ in lines[NAMED:]:
        ax.plot(alphas, values, color=FAINT, lw=0.8, zorder=1.8)
    for (_, values, index), colour in zip(named, SERIES, strict=False):
        ax.plot(alphas, values, color=colour, zorder=2.2, gid=f"column-{index}")
    low, high = _limits(np.array([v for _, v, _ in lines]), alphas, num(report["fit"]["alpha"]))
    ax.set_ylim(low, high)
    strength_axis(ax, report)
    ax.yaxis.tick_right()
    numbers(ax)
    unit = f"effect of one sd on {printable(report['target'])}" if data["known_sd"] else "coefficient"
    ax.yaxis.set_label_position("right")
    ax.set_ylabel(unit if len(unit) < 42 else "effect of one standard deviation")
    ax.spines["left"].set_visible(False)
    first = [
        (name, float(np.clip(v[0], low, high)), c) for (name, v, _), c in zip(named, SERIES, strict=False)
    ]
    side_labels(ax, first)
    return figure


def _limits(lines: np.ndarray, alphas: np.ndarray, alpha: float) -> tuple[float, float]:
    """Room for everything from a thousandth of the chosen λ up; what explodes further left leaves the picture."""
    near = alphas >= (alpha * 1e-3 if 0 < alpha < np.inf else 0.0)
    seen = lines[:, near] if near.any() else lines
    low, high = min(float(seen.min()), 0.0), max(float(seen.max()), 0.0)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


@styled
def selection(report: dict[str, Any]) -> Any:
    """Every rule's curve above its own least, on one axis, with the λ that each would choose."""
    figure, ax = canvas()
    data = report["selection"]
    colours = dict(zip(_ordered(data), SERIES, strict=False))
    for rule, colour in colours.items():
        curve = data["curves"][rule]
        alphas, height = nums(curve["alphas"]), nums(curve["height"])
        own = rule == data["rule"]
        y = np.sqrt(np.maximum(height, 0.0))
        ax.plot(alphas, np.where(y <= 3, y, np.nan), color=colour, lw=2.4 if own else 1.3,
                zorder=3 if own else 2, label=rule_name(rule) + (" (decides)" if own else ""),
                gid=f"rule-{rule}")  # fmt: skip
        choice = num(data["choices"].get(rule))
        if alphas.size and alphas[0] <= choice <= alphas[-1]:
            ax.plot([choice], [0.0], "o", color=colour, ms=6.5 if own else 4.5, zorder=4, clip_on=False)
    strength_axis(ax, report)
    ax.set_ylim(-0.04, TOP)
    ax.set_yticks([0, 0.5, 1.0], ["best", "", "no use of\ncolumns"])
    ax.set_ylabel("score above its own best (√ scale)")
    figure.legend(loc="outside lower center", ncol=3, handlelength=1.4, columnspacing=1.2)
    return figure


def _ordered(data: dict[str, Any]) -> list[str]:
    """The rule that decides first, so that it gets the accent colour."""
    rules = list(data["curves"])
    return sorted(rules, key=lambda r: r != data["rule"])


@styled
def bias_variance(report: dict[str, Any]) -> Any:
    """Estimated squared bias and variance of the fit per row, and their sum, over λ."""
    figure, ax = canvas()
    data = report["bias_variance"]
    if data is None:
        empty(
            ax, "Bias and variance need an estimate of the noise,\nand no degree of freedom is left for one."
        )
        return figure
    alphas = nums(data["alphas"])
    bias, variance = nums(data["bias2"]), nums(data["variance"])
    total = bias + variance
    ax.plot(alphas, bias, color=ORANGE, label="bias²: too stiff")
    ax.plot(alphas, variance, color=GREEN, label="variance: too loose")
    ax.plot(alphas, total, color=ACCENT, lw=2.4, label="sum")
    best = int(np.argmin(total))
    ax.plot([alphas[best]], [total[best]], "o", color=ACCENT, ms=6)
    strength_axis(ax, report)
    top = 2.5 * max(float(variance.max()), float(total[best]))
    ax.set_ylim(0, min(top, 1.08 * float(total.max())) or 1.0)
    numbers(ax)
    ax.set_ylabel("mean squared distance from the truth", color=MUTED)
    figure.legend(loc="outside lower center", ncol=3, handlelength=1.4, columnspacing=1.2)
    return figure


__all__ = ["bias_variance", "path", "selection"]
