"""Balance laws: what decay does along a multiplicative symmetry of a network.

A symmetry s is a set of exponents with f(c^{s_1} w_1, …, c^{s_k} w_k) = f(w) for all c > 0. Its derivative
at c = 1 gives Σ s_i ⟨w_i, ∂f/∂w_i⟩ = 0, from which all laws below follow.
Sources: Kunin et al., arXiv:2012.04728; Neyshabur, Salakhutdinov & Srebro, arXiv:1506.02617.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "balance_residual",
    "charge",
    "charge_decay",
    "path_norm_form",
    "preconditioned_residual",
    "stochastic_sides",
    "trunk_head_ratio",
]


def charge(exponents: ArrayLike, squared_norms: ArrayLike) -> float:
    """Q = Σ s_i ‖w_i‖²: conserved by gradient flow without decay."""
    return float(np.dot(np.asarray(exponents, float), np.asarray(squared_norms, float)))


def charge_decay(initial: float, lr: float, weight_decay: float, steps: int) -> float:
    """Q_t = Q_0 (1 − ηλ)^(2t): with one λ for all, SGD forgets an unbalanced start at this rate.

    Exact for gradient flow with decay; to O(η) for SGD, whose steps add η² Σ s_i ‖g_i‖² each.
    """
    return initial * (1.0 - lr * weight_decay) ** (2 * steps)


def balance_residual(exponents: ArrayLike, weight_decays: ArrayLike, squared_norms: ArrayLike) -> float:
    """Σ s_i λ_i ‖w_i‖² / Σ |s_i| λ_i ‖w_i‖²: 0 at a stationary point of SGD or Adam with coupled L2.

    At stationarity ∂f/∂w_i = −λ_i w_i, and Σ s_i ⟨w_i, ∂f/∂w_i⟩ = 0. The value lies in [−1, 1].
    """
    s = np.asarray(exponents, float)
    terms = np.asarray(weight_decays, float) * np.asarray(squared_norms, float)
    scale = float(np.abs(s) @ terms)
    return float(s @ terms) / scale if scale > 0 else 0.0


def preconditioned_residual(
    exponents: ArrayLike, weight_decays: ArrayLike, preconditioned: ArrayLike
) -> float:
    """Σ s_i λ_i ⟨w_i, √v_i w_i⟩ over Σ |s_i| λ_i ⟨w_i, √v_i w_i⟩: the law of AdamW.

    AdamW is stationary where ∂f/∂w_i = −λ_i √v_i w_i (mean update against decay), so the same symmetry gives
    the law with the preconditioner √v_i inside. ``preconditioned`` holds ⟨w_i, √v_i w_i⟩.
    """
    return balance_residual(exponents, weight_decays, preconditioned)


def trunk_head_ratio(trunk_decay: float, head_decay: float) -> float:
    """‖W_s‖² / Σ_t ‖v_t‖² = λ_t / λ_s at a minimum of the loss + (λ_s/2)‖W_s‖² + (λ_t/2) Σ ‖v_t‖².

    For a trunk W_s and heads v_t with f(cW_s, v_t/c) = f: exponents +1 and −1 of :func:`balance_residual`.
    """
    return head_decay / trunk_decay if trunk_decay > 0 else math.inf


def stochastic_sides(
    exponents: ArrayLike,
    weight_decays: ArrayLike,
    squared_norms: ArrayLike,
    squared_steps: ArrayLike,
    lr: float,
) -> tuple[float, float]:
    """Both sides of Σ s_i λ_i E‖w_i‖² = (η/2) Σ s_i E‖g_i + λ_i w_i‖², exact for stationary SGD with L2.

    From E‖w_i‖² constant: 0 = −2η E⟨w_i, g_i + λ_i w_i⟩ + η² E‖g_i + λ_i w_i‖², summed with weights s_i.
    ``squared_steps`` holds E‖g_i + λ_i w_i‖².
    """
    s = np.asarray(exponents, float)
    left = float(s @ (np.asarray(weight_decays, float) * np.asarray(squared_norms, float)))
    return left, float(0.5 * lr * (s @ np.asarray(squared_steps, float)))


def path_norm_form(weight_decay: float, outer: ArrayLike, inner: ArrayLike) -> float:
    """min over rescalings of λ Σ_j (‖v_j‖² + ‖u_j‖²) = 2 λ Σ_j ‖v_j‖ ‖u_j‖.

    ``outer`` and ``inner`` hold the norms ‖v_j‖, ‖u_j‖ of the outgoing and incoming weights of each ReLU
    unit j, shape (units,). Reached at c_j = (‖v_j‖/‖u_j‖)^(1/2). Source: Parhi & Nowak, arXiv:2006.05626.
    """
    return float(2.0 * weight_decay * np.dot(np.asarray(outer, float), np.asarray(inner, float)))
