"""Figures of directions: how much of each is kept, and the sphere that meets the contours."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.reporting.figures.axes import empty, numbers
from elltwo.reporting.figures.style import ACCENT, FAINT, INK, ORANGE, canvas, styled
from elltwo.reporting.words import num, nums, short

DOTS = 80


@styled
def shrinkage(report: dict[str, Any]) -> Any:
    """The share of each direction that is kept, s²/(s² + λ), strongest direction first; bars show the signal there."""
    figure, ax = canvas()
    data = report["shrinkage"]
    f = nums(data["factors"])
    if not f.size:
        empty(ax, "There is no penalised direction.")
        return figure
    j = np.arange(1, f.size + 1)
    share = np.array([num(d["share"]) for d in data["directions"]])
    most = np.max(np.nan_to_num(share), initial=0.0)
    if f.size <= DOTS and most > 0:
        ax.bar(j[: share.size], share / most, width=0.72, color=FAINT, zorder=1.2,
               label="signal in the direction (relative)")  # fmt: skip
    style = {"marker": "o", "ms": 4.5, "lw": 1.0} if f.size <= DOTS else {"lw": 2.0}
    ax.plot(j, f, color=ACCENT, zorder=3, label="share kept at the chosen λ", gid="factors", **style)
    ax.set_ylim(0, 1.05)
    ax.set_xlim(0.4, f.size + 0.6)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "¼", "½", "¾", "1"])
    ax.set_ylabel("share kept")
    ax.set_xlabel("direction, from strong to weak")
    whole_numbers(ax, f.size)
    figure.legend(loc="outside lower center", ncol=2, handlelength=1.4, columnspacing=1.2)
    return figure


def whole_numbers(ax: Any, most: int) -> None:
    """Ticks at whole numbers that include the first."""
    step = max(1, round(most / 6))
    ax.set_xticks([1, *range(1 + step, most + 1, step)] if most > 1 else [1])


@styled
def geometry(report: dict[str, Any]) -> Any:
    """Contours of the squared error, the ball of the penalty, and where they touch, in two directions."""
    figure, ax = canvas(4.9, 4.6)
    data = report["geometry"]
    if data is None:
        empty(ax, "This picture needs two directions.")
        return figure
    s, centre, chosen = nums(data["s"]), nums(data["centre"]), nums(data["chosen"])
    span = 1.35 * max(float(np.abs(centre).max()), float(np.hypot(*chosen)))
    middle = centre * 0.35
    ax.set_xlim(middle[0] - span, middle[0] + span)
    ax.set_ylim(middle[1] - span, middle[1] + span)
    ax.set_aspect("equal", adjustable="box")
    ax.axhline(0, color=FAINT, lw=0.9, zorder=1)
    ax.axvline(0, color=FAINT, lw=0.9, zorder=1)
    _contours(ax, s, centre, chosen, span)
    _ball(ax, chosen)
    way = route(s, nums(data["z"]))
    ax.plot(*centre, "o", color=ORANGE, ms=6, zorder=4, ls="none", label="no regularization")
    ax.plot(*chosen, "o", color=ACCENT, ms=7.5, zorder=5, ls="none", label="chosen λ", gid="chosen-dot")
    ax.plot(way[0], way[1], color=INK, lw=1.1, ls=(0, (2, 2)), zorder=2.5, label="every λ")
    figure.legend(loc="outside lower center", ncol=3, handlelength=1.4, columnspacing=1.2)
    numbers(ax, "x")
    numbers(ax, "y")
    ax.grid(False)
    names = [
        f"direction {n}: {short(' '.join(m), 30)}"
        for n, m in zip(data["directions"], data["made_of"], strict=True)
    ]
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    return figure


def route(s: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(2, m) the ridge solution from λ = 0 to λ = ∞."""
    alphas = np.concatenate([[0.0], np.geomspace(s.min() ** 2 * 1e-4, s.max() ** 2 * 1e6, 300)])
    return (s * z)[:, None] / (s[:, None] ** 2 + alphas)


def _contours(ax: Any, s: np.ndarray, centre: np.ndarray, chosen: np.ndarray, span: float) -> None:
    """Ellipses of equal squared error, one of them through the chosen point."""
    from matplotlib.patches import Ellipse

    own = float(np.hypot(*(s * (chosen - centre))))
    widest = float(s.min() * span)
    middle = (float(centre[0]), float(centre[1]))
    for level in (0.25 * widest, 0.55 * widest, 0.95 * widest, 1.4 * widest):
        ax.add_patch(
            Ellipse(middle, 2 * level / s[0], 2 * level / s[1], fill=False, ec=ORANGE, lw=0.8, alpha=0.45)
        )
    if own > 0:
        ax.add_patch(
            Ellipse(middle, 2 * own / s[0], 2 * own / s[1], fill=False, ec=ORANGE, lw=1.7, gid="touching")
        )


def _ball(ax: Any, chosen: np.ndarray) -> None:
    from matplotlib.patches import Circle

    radius = float(np.hypot(*chosen))
    ax.add_patch(Circle((0, 0), radius, fc=ACCENT, ec="none", alpha=0.10, zorder=1.1))
    ax.add_patch(Circle((0, 0), radius, fill=False, ec=ACCENT, lw=1.5, zorder=2, gid="ball"))
