"""Figures of a reconstruction: Picard plot, L-curve, filter factors, resolution, posterior spread.

matplotlib is imported when a figure is drawn; every function returns the Axes it drew on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.inverse.evidence import l_curve, picard, posterior_sd, resolution
from elltwo.inverse.reconstruction import Reconstruction
from elltwo.shrinking.picard import Picard


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(6, 4), layout="constrained").add_subplot()


def plot_picard(answer: Reconstruction, ax: Any = None) -> Any:
    """Singular values, data and solution coefficients, and the level of the noise."""
    ax, p = _axes(ax), picard(answer)
    index = np.arange(1, p.s.size + 1)
    ax.semilogy(index, p.s, "-", label="s")
    ax.semilogy(index, p.data, "o", ms=3, label="|uᵀb|")
    ax.semilogy(index, p.solution, "x", ms=4, label="|uᵀb|/s")
    if p.noise > 0:
        ax.axhline(p.noise, color="0.5", lw=1, ls="--", label="noise")
    ax.set(xlabel="direction", title="Picard condition", ylim=(_floor(p), None))
    ax.locator_params(axis="x", integer=True)
    ax.legend()
    return ax


def _floor(p: Picard) -> float | None:
    """Below this is rounding, which would squeeze all else into a corner."""
    live = p.data[p.data > 0]
    level = p.noise if p.noise > 0 else np.inf
    return max(1e-3 * min(float(p.s[-1]), level), float(live.min()) / 2) if live.size else None


def plot_l_curve(answer: Reconstruction, ax: Any = None) -> Any:
    """Length of the solution against the misfit, the choice marked."""
    ax, c = _axes(ax), l_curve(answer)
    ax.loglog(c.residual, c.size)
    ax.loglog(c.residual[c.chosen], c.size[c.chosen], "o", label=f"λ = {c.lam[c.chosen]:.3g}")
    ax.set(xlabel="‖Ax − b‖", ylabel="‖L(x − x0)‖", title="L-curve")
    ax.legend()
    return ax


def plot_filters(answer: Reconstruction, ax: Any = None) -> Any:
    """How much of each direction is kept."""
    ax, p = _axes(ax), picard(answer)
    ax.semilogx(p.s, p.filter, ".-")
    ax.set(
        xlabel="singular value s",
        ylabel="filter factor",
        title="What is kept of each direction",
        ylim=(-0.02, 1.02),
    )
    return ax


def plot_resolution(answer: Reconstruction, ax: Any = None) -> Any:
    """The resolution matrix: each column is how a unit spike comes back."""
    ax = _axes(ax)
    R = resolution(answer)
    limit = float(np.abs(R).max())
    ax.imshow(R, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(xlabel="true unknown", ylabel="reconstructed unknown", title="Resolution")
    return ax


def plot_posterior(answer: Reconstruction, ax: Any = None) -> Any:
    """The solution with two posterior standard deviations either side."""
    ax, sd = _axes(ax), posterior_sd(answer)
    x = answer.coef if answer.coef.ndim == 1 else answer.coef[:, 0]
    index = np.arange(x.size)
    ax.fill_between(index, x - 2 * sd, x + 2 * sd, alpha=0.25, lw=0)
    ax.plot(index, x)
    ax.set(xlabel="unknown", title="Solution and two posterior standard deviations")
    return ax
