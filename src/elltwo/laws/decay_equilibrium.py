"""Where weight decay leads: the norm and the rotation per step at which it balances the updates.

For a scale-invariant weight the gradient is orthogonal to w, so updates only lengthen it and decay only
shortens it. At balance both are equal, and the angle turned per step depends on η and λ alone.
Sources: Wan et al., arXiv:2006.08419 (SGD, momentum); Kosson, Messmer & Jaggi, arXiv:2305.17212 (AdamW).
"""

from __future__ import annotations

import math

from elltwo.errors import InputError, unknown_option

__all__ = [
    "corrected_gradient_ratio",
    "equilibrium_angular_rate",
    "equilibrium_norm_adamw",
    "equilibrium_norm_sgd",
    "steps_to_equilibrium",
]

_FAMILIES = ("sgd", "adamw")


def equilibrium_angular_rate(family: str, lr: float, weight_decay: float, momentum: float = 0.0) -> float:
    """Radians per step at equilibrium of a scale-invariant weight.

    - ``"sgd"`` with momentum β (coupled or decoupled): √(2 η λ / (1 + β)).
    - ``"adamw"`` with β₁ = ``momentum``: √(2 η λ (1 − β₁) / (1 + β₁)).

    Valid to first order in ηλ/(1 − β), for updates uncorrelated from step to step (small batches).

    Raises
    ------
    UsageError
        For another family: Adam with coupled L2 has no rate common to all layers.

    Sources: Wan et al. (SGD); Kosson et al. (AdamW).
    """
    if family not in _FAMILIES:
        raise unknown_option("family for an equilibrium rate", family, _FAMILIES)
    if not 0 <= momentum < 1:
        raise InputError(f"momentum must lie in [0, 1), got {momentum!r}")
    base = 2.0 * lr * weight_decay
    if family == "sgd":
        return math.sqrt(base / (1.0 + momentum))
    return math.sqrt(base * (1.0 - momentum) / (1.0 + momentum))


def equilibrium_norm_sgd(
    lr: float, weight_decay: float, unit_gradient: float, momentum: float = 0.0
) -> float:
    """‖w‖ = (η g̃² / (2 λ (1 − β)))^(1/4), with g̃ = ‖w‖ ‖∂f/∂w‖, the gradient norm at ‖w‖ = 1.

    Balance of 2 η λ ‖w‖²/(1 − β) (decay) with η² g̃²/‖w‖²/(1 − β)² (growth).
    """
    if weight_decay == 0:
        return math.inf
    return (lr * unit_gradient**2 / (2.0 * weight_decay * (1.0 - momentum))) ** 0.25


def equilibrium_norm_adamw(lr: float, weight_decay: float, size: int) -> float:
    """‖w‖ = √(size · η / (2 λ)): balance of 2 η λ ‖w‖² with η² · size.

    ``size`` counts the live entries. It takes normalized updates of unit size, uncorrelated over time, so it
    is an order of magnitude for real networks, whereas the angular rate is not.
    """
    return math.inf if weight_decay == 0 else math.sqrt(size * lr / (2.0 * weight_decay))


def corrected_gradient_ratio(lr: float, weight_decay: float) -> float:
    """‖g‖/‖w‖ = √(2 λ / η): the steady gradient-to-weight ratio of a normalized layer under SGD.

    It grows as η falls over a schedule; λ_t = λ η_t/η_peak keeps it constant.
    Source: Defazio, arXiv:2506.02285.
    """
    return math.sqrt(2.0 * weight_decay / lr)


def steps_to_equilibrium(
    family: str,
    lr: float,
    weight_decay: float,
    ratio: float,
    *,
    momentum: float = 0.0,
    tolerance: float = 0.1,
) -> float:
    """Steps until the squared norm of a scale-invariant weight is within ``tolerance`` of equilibrium.

    ``ratio`` is the measured angular rate over the predicted one. Under SGD the rate falls as ‖w‖⁻² and
    ‖w‖⁴ relaxes as exp(−4ηλt/(1−β)); under AdamW the rate falls as ‖w‖⁻¹ and ‖w‖² relaxes as exp(−2ηλt).
    In both cases ``ratio**-2`` is the relaxing quantity over its limit: q_t − 1 = (q₀ − 1) exp(−k ηλ t).
    """
    if family not in _FAMILIES:
        raise unknown_option("family for an equilibrium rate", family, _FAMILIES)
    if ratio <= 0 or weight_decay == 0:
        return math.inf
    excess = abs(ratio**-2 - 1.0)
    if excess <= tolerance:
        return 0.0
    rate = (4.0 / (1.0 - momentum) if family == "sgd" else 2.0) * lr * weight_decay
    return math.log(excess / tolerance) / rate
