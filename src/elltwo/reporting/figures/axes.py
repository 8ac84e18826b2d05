"""What several figures share: the λ axis, the marker of the chosen λ, labels that keep apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.style import ACCENT, FAINT, INK, SIZE
from elltwo.reporting.words import distinct, num, power, shown


def strength_axis(ax: Any, report: dict[str, Any], mark: bool = True) -> None:
    """λ in decades from left (weak) to right (strong), with the chosen one marked."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = (num(v) for v in report["range"])
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    decades = np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    step = max(1, int(np.ceil(decades.size / 7)))
    ax.xaxis.set_major_locator(FixedLocator(list(10.0 ** decades[::step])))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: power(np.log10(v)) if v > 0 else ""))
    ax.set_xlabel("λ, strength of the regularization →")
    if mark:
        mark_chosen(ax, num(report["fit"]["alpha"]), low, high)


def mark_chosen(ax: Any, alpha: float, low: float, high: float) -> None:
    """A thin vertical line at the chosen λ, or a word at the end where it is 0 or ∞."""
    from matplotlib.transforms import blended_transform_factory

    at = float(np.clip(alpha, low, high))
    ax.axvline(at, color=ACCENT, lw=0.9, ls=(0, (4, 3)), gid="chosen-line", zorder=1.5)
    left = np.log(at / low) > 0.6 * np.log(high / low)
    place = blended_transform_factory(ax.transData, ax.transAxes)
    ax.annotate(
        f"chosen λ = {shown(alpha)}", (at, 1.0), xycoords=place, xytext=(-4 if left else 4, 1),
        textcoords="offset points", ha="right" if left else "left", va="bottom", color=ACCENT, fontsize=SIZE - 1,
    )  # fmt: skip


def side_labels(ax: Any, labels: list[tuple[str, float, str]], gap: float = 11.0) -> None:
    """Names (text, y, colour) beside the left edge, moved apart until none overlap, each with a thin leader."""
    if not labels:
        return
    ax.figure.draw_without_rendering()
    bottom, top = ax.get_window_extent().intervaly * 72 / ax.figure.dpi
    low, high = ax.get_ylim()
    wanted = [bottom + (y - low) / (high - low) * (top - bottom) for _, y, _ in labels]
    placed = spread(np.array(wanted), gap, bottom + 2, top - 2)
    names = distinct([text for text, _, _ in labels], 14)
    for text, (_, _, colour), want, at in zip(names, labels, wanted, placed, strict=True):
        ax.annotate(
            text, (0.0, (want - bottom) / (top - bottom)), xycoords="axes fraction",
            xytext=(-9, at - want), textcoords="offset points", ha="right", va="center", fontsize=SIZE - 1.5,
            color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (1, 0.5)},
        )  # fmt: skip


def spread(wanted: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Positions at least ``gap`` apart between low and high, in the same order, as near as possible to the wanted.

    With the gaps subtracted this is isotonic regression: pool neighbours that are out of order, then clip.
    """
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, (high - low) / max(wanted.size - 1, 1))
    blocks: list[tuple[float, int]] = []  # mean, size
    for value in wanted[order] - gap * np.arange(wanted.size):
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    level = np.concatenate([np.full(size, mean) for mean, size in blocks])
    out = np.empty(wanted.size)
    out[order] = np.clip(level, low, high - gap * (wanted.size - 1)) + gap * np.arange(wanted.size)
    return out


def numbers(ax: Any, which: str = "y") -> None:
    """Axis numbers in the same words as the text."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = ax.yaxis if which == "y" else ax.xaxis
    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda v, _: tick(v)))


def tick(v: float) -> str:
    """A tick value without needless digits."""
    if v == 0:
        return "0"
    text = shown(v, 2) if not 1e-3 <= abs(v) < 1e6 else f"{v:,.10g}"
    return text.replace("-", "−")


def empty(ax: Any, sentence: str) -> None:
    """A figure that has nothing to show says why."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, sentence, ha="center", va="center", transform=ax.transAxes, color=INK, wrap=True)


def zero_line(ax: Any) -> None:
    """The horizontal line at 0."""
    ax.axhline(0.0, color=FAINT, lw=1.0, zorder=1)
