"""Figures of a training run, from its dict; each touches no pyplot state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import empty
from elltwo.reporting.figures.style import ACCENT, MUTED, ORANGE, SERIES, canvas, styled
from elltwo.reporting.words import power

__all__ = ["FIGURES"]

_DECADES = 300.0
_FAR = 8.0


def _line(ax: Any, series: dict[str, list[float]], **look: Any) -> None:
    ax.plot(series["steps"], series["values"], **look)


def _logarithmic(ax: Any) -> None:
    """A logarithmic y axis with a few plain labels: decades, or 1-2-5 steps where few decades are shown."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    near = high / low < _DECADES
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if near else (1.0,), numticks=8))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}" if near else power(np.log10(v))))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _finish(figure: Any, ax: Any, ylabel: str, columns: int = 2) -> Any:
    ax.set_xlabel("step")
    ax.set_ylabel(ylabel, color=MUTED)
    if ax.get_legend_handles_labels()[1]:
        figure.legend(loc="outside lower center", ncol=columns, handlelength=1.4, columnspacing=1.2)
    return figure


@styled
def rotation(run: dict[str, Any]) -> Any:
    """Median angle per step of the proven scale-invariant tensors, and the law's prediction."""
    figure, ax = canvas()
    if not run["rotation"]["predicted"]["values"]:
        empty(ax, "No tensor is proven scale-invariant under an\noptimizer with a known equilibrium.")
        return figure
    _line(ax, run["rotation"]["measured"], color=ACCENT, label="measured (median)")
    _line(ax, run["rotation"]["predicted"], color=ORANGE, ls="--", label="predicted at equilibrium")
    _logarithmic(ax)
    return _finish(figure, ax, "radians per step")


@styled
def growth(run: dict[str, Any]) -> Any:
    """Norms of the largest tensors relative to the first sample."""
    figure, ax = canvas(height=4.2)
    for color, (name, series) in zip(SERIES, run["growth"].items(), strict=False):
        _line(ax, series, color=color, label=name if len(name) < 26 else "…" + name[-25:])
    ratios = [v for series in run["growth"].values() for v in series["values"] if v is not None and v > 0]
    if ratios and max(ratios) > _FAR * min(ratios):  # one that grows much would flatten the others
        _logarithmic(ax)
    return _finish(figure, ax, "norm, first sample = 1")


@styled
def gradient(run: dict[str, Any]) -> Any:
    """Median gradient norm."""
    figure, ax = canvas()
    _line(ax, run["gradient"], color=ACCENT)
    _logarithmic(ax)
    return _finish(figure, ax, "gradient norm (median)")


@styled
def losses(run: dict[str, Any]) -> Any:
    """Training and validation loss, where they were logged."""
    figure, ax = canvas()
    if not any(series["values"] for series in run["losses"].values()):
        empty(ax, "No loss was logged: call\nmonitor.log(train_loss=…, val_loss=…).")
        return figure
    for color, (name, series) in zip((ACCENT, ORANGE), run["losses"].items(), strict=True):
        if series["values"]:
            _line(ax, series, color=color, label=name.replace("_", " "))
    return _finish(figure, ax, "loss")


Draw = Callable[[dict[str, Any]], Any]

#: name -> (function, title, caption)
FIGURES: dict[str, tuple[Draw, str, str]] = {
    "rotation": (
        rotation,
        "Does it turn as theory says?",
        "Scale-invariant weights; together means equilibrium.",
    ),
    "growth": (
        growth,
        "Do weights grow or shrink?",
        "The eight largest weights, relative to their first norm.",
    ),
    "gradient": (
        gradient,
        "Does the gradient grow late?",
        "It does when the learning rate falls and decay does not.",
    ),
    "losses": (
        losses,
        "Does the gap open?",
        "Validation loss turning up while training loss falls is overfitting.",
    ),
}
