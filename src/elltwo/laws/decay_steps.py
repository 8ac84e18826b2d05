"""Reference implementations: one step of each form of weight decay, in about ten lines of NumPy.

Everywhere ``w`` is the weight before the step, ``u`` the optimizer's direction (for SGD the gradient, for
Adam m̂/(√v̂ + ε)), ``lr`` the learning rate η. They are the judges of the hooks that act on real optimizers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AdamMoments",
    "adam_direction",
    "bounded",
    "cautious",
    "corrected",
    "coupled_gradient",
    "decoupled",
    "independent",
    "on_sphere",
    "scheduled",
    "stable",
    "toward",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AdamMoments:
    """Running moments of Adam: first, second, and the number of steps taken."""

    m: Array
    v: Array
    t: int = 0


def adam_direction(
    g: Array, moments: AdamMoments, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> tuple[Array, AdamMoments]:
    """u = m̂/(√v̂ + ε) and the new moments. Source: Kingma & Ba, arXiv:1412.6980, algorithm 1."""
    b1, b2 = betas
    m = b1 * moments.m + (1 - b1) * g
    v = b2 * moments.v + (1 - b2) * g * g
    t = moments.t + 1
    u = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return u, AdamMoments(m, v, t)


def coupled_gradient(w: Array, g: Array, weight_decay: float) -> Array:
    """g + λ w: the gradient of f + (λ/2)‖w‖², which the optimizer then transforms as it pleases."""
    return g + weight_decay * w


def decoupled(w: Array, u: Array, lr: float, weight_decay: float) -> Array:
    """(1 − η λ) w − η u. Source: Loshchilov & Hutter, arXiv:1711.05101."""
    return w * (1 - lr * weight_decay) - lr * u


def independent(w: Array, u: Array, lr: float, per_step: float, peak_lr: float) -> Array:
    """(1 − λ_step η/η_peak) w − η u: the strength does not move with the size of the learning rate."""
    return w * (1 - per_step * lr / peak_lr) - lr * u


def corrected(w: Array, u: Array, lr: float, weight_decay: float, peak_lr: float) -> Array:
    """(1 − λ η²/η_peak) w − η u, for weights that feed a norm. Source: Defazio, arXiv:2506.02285."""
    return w * (1 - lr * (weight_decay * lr / peak_lr)) - lr * u


def scheduled(w: Array, u: Array, lr: float, weight_decay: float, factor: float) -> Array:
    """(1 − η λ factor_t) w − η u: a schedule of λ beside the one of η."""
    return w * (1 - lr * (weight_decay * factor)) - lr * u


def cautious(w: Array, u: Array, lr: float, weight_decay: float) -> Array:
    """w − η (u + λ w ⊙ [u ⊙ w ≥ 0]): decay only where the update shrinks the entry anyway.

    Source: Chen et al., arXiv:2510.12402.
    """
    return w * (1 - lr * weight_decay * (u * w >= 0)) - lr * u


def toward(w: Array, u: Array, lr: float, weight_decay: float, anchor: Array) -> Array:
    """w + η λ (w₀ − w) − η u: decay toward the initial point. Source: Li et al. (L2-SP), arXiv:1802.01483."""
    return w + lr * weight_decay * (anchor - w) - lr * u


def stable(w: Array, u: Array, lr: float, weight_decay: float, mean_v: float) -> Array:
    """(1 − η λ/√v̄) w − η u, with v̄ the mean of Adam's v̂ over all parameters.

    Source: Xie et al. (SWD, AdamS), arXiv:2011.11152.
    """
    return w * (1 - lr * (weight_decay / np.sqrt(mean_v))) - lr * u


def on_sphere(w: Array, u: Array, lr: float, radius: float) -> Array:
    """radius · (w − η u)/‖w − η u‖: for scale-invariant weights the norm is free, so it can be held."""
    moved = w - lr * u
    return moved * (radius / np.linalg.norm(moved))


def bounded(
    w: Array, u: Array, lr: float, bound: float, multiplier: float, growth: float = 0.01
) -> tuple[Array, float]:
    """Hold ½‖w‖² ≤ bound by a multiplier μ that grows with the relative excess.

    μ ← clip(μ + growth (½‖w‖²/bound − 1), 0, 1), then w ← (1 − μ) w.
    After constrained parameter regularization (Franke et al., arXiv:2311.09058); dividing the excess by the
    bound is our choice, so that ``growth`` has no units and one value serves tensors of every size.
    """
    moved = w - lr * u
    excess = 0.5 * float(np.sum(moved * moved)) / bound - 1.0
    multiplier = min(max(multiplier + growth * excess, 0.0), 1.0)
    return moved * (1 - multiplier), multiplier
