"""What a weight decay does to a weight, step by step: shrink, timescale, half-life, equivalences.

Notation: η (``lr``) the learning rate, λ (``weight_decay``) the strength, t the step, w the weight.
Decoupled decay is the map w ← (1 − η_t λ) w applied beside the update, so a weight is an exponential
moving average of its updates, with forgetting factor 1 − η λ (Wang & Aitchison, arXiv:2405.13698).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elltwo.errors import InputError

__all__ = [
    "Rescaled",
    "as_ridge_alpha",
    "as_weight_decay",
    "effective_decay",
    "exponential_rates",
    "half_life",
    "independent_shrink",
    "loshchilov_normalised",
    "retained",
    "shrink_factors",
    "timescale",
    "timescale_epochs",
    "van_laarhoven",
]


def _positive(value: float, name: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} must be a positive finite number, got {value!r}")
    return float(value)


def shrink_factors(lrs: ArrayLike, weight_decay: ArrayLike) -> NDArray[np.float64]:
    """Factor 1 − η_t λ_t by which decoupled decay multiplies a weight at every step.

    Parameters
    ----------
    lrs : array_like, shape (steps,)
        Learning rate η_t of each step.
    weight_decay : float or array_like, shape (steps,)
        Strength λ_t, in units per learning rate.

    Returns
    -------
    ndarray, shape (steps,)

    Raises
    ------
    InputError
        If a factor is negative: the weight would change sign, which is no decay.

    Source: Loshchilov & Hutter, arXiv:1711.05101.
    """
    factors = 1.0 - np.asarray(lrs, float) * np.asarray(weight_decay, float)
    if np.any(factors < 0) or not np.all(np.isfinite(factors)):
        raise InputError(
            f"lr * weight_decay reaches {1 - np.min(factors):.3g} in one step, which must stay in [0, 1]: "
            "lower one of the two"
        )
    return np.atleast_1d(factors)


def retained(lrs: ArrayLike, weight_decay: ArrayLike) -> float:
    """Π_t (1 − η_t λ_t): the share of the initial weight that is left at the end of the run."""
    factors = shrink_factors(lrs, weight_decay)
    with np.errstate(divide="ignore"):
        return float(np.exp(np.sum(np.log(factors))))


def effective_decay(lrs: ArrayLike, weight_decay: ArrayLike) -> float:
    """Σ_t η_t λ_t: the total decay over a schedule; the run lasts this many timescales."""
    return float(np.sum(np.asarray(lrs, float) * np.asarray(weight_decay, float)))


def timescale(lr: float, weight_decay: float) -> float:
    """τ = 1/(η λ) in steps: how many updates a weight remembers.

    Returns ``inf`` for ``weight_decay = 0``. Source: Wang & Aitchison, arXiv:2405.13698.
    """
    _positive(lr, "lr")
    if weight_decay < 0 or not math.isfinite(weight_decay):
        raise InputError(f"weight_decay must be zero or a positive number, got {weight_decay!r}")
    return math.inf if weight_decay == 0 else 1.0 / (lr * weight_decay)


def timescale_epochs(lr: float, weight_decay: float, *, batch: float, samples: float) -> float:
    """τ_epoch = B / (η λ N): the timescale in passes over N samples, at batch size B."""
    return timescale(lr, weight_decay) * _positive(batch, "batch") / _positive(samples, "samples")


def half_life(lr: float, weight_decay: float) -> float:
    """Steps after which decay alone halves a weight: ln 2 / −ln(1 − η λ) (about 0.69 τ)."""
    if weight_decay == 0:
        return math.inf
    factor = float(shrink_factors([lr], weight_decay)[0])
    return 0.0 if factor == 0 else math.log(2.0) / -math.log(factor)


def independent_shrink(per_step: float, lr: float, peak_lr: float) -> float:
    """1 − λ_step η_t/η_peak: decay that follows the schedule, yet not the size of the learning rate.

    Source: Composer's ``DecoupledAdamW``; Wortsman et al., arXiv:2309.14322, "independent" weight decay.
    """
    return 1.0 - per_step * lr / _positive(peak_lr, "peak_lr")


def loshchilov_normalised(normalised: float, *, batch: float, samples: float, epochs: float) -> float:
    """λ = λ_norm √(B / (N T)): the normalised weight decay of Loshchilov & Hutter.

    B is the batch size, N the number of samples, T the number of epochs.
    """
    return normalised * math.sqrt(
        _positive(batch, "batch") / (_positive(samples, "samples") * _positive(epochs, "epochs"))
    )


def exponential_rates(lr: float, weight_decay: float, steps: int) -> NDArray[np.float64]:
    """Learning rates η (1 − ηλ)^(−2t−1) that replace decay exactly on scale-invariant weights.

    SGD with rate η and decay λ on weights w_t, and SGD without decay at these rates on
    v_t = w_t (1 − ηλ)^(−t), give networks of equal output at every step t = 0, 1, …

    Source: Li & Arora, arXiv:1910.07454 (momentum 0).
    """
    factor = float(shrink_factors([lr], weight_decay)[0])
    return np.asarray(lr * factor ** -(2.0 * np.arange(steps) + 1.0), dtype=np.float64)


@dataclass(frozen=True)
class Rescaled:
    """Start, rate and strength of an equivalent run on scale-invariant weights."""

    weight_scale: float
    lr: float
    weight_decay: float


def van_laarhoven(scale: float, lr: float, weight_decay: float) -> Rescaled:
    """(w, η, λ) → (c w, c² η, λ/c²): the same functions at every SGD step, if f(cw) = f(w).

    Source: van Laarhoven, arXiv:1706.05350.
    """
    c2 = _positive(scale, "scale") ** 2
    return Rescaled(weight_scale=scale, lr=lr * c2, weight_decay=weight_decay / c2)


def as_ridge_alpha(weight_decay: float, n: int, *, loss: str = "mean") -> float:
    """α of ``‖y − Xw‖² + α‖w‖²`` with the minimiser that coupled weight decay λ reaches.

    With torch's ``MSELoss`` (``loss="mean"``, one target, n rows) the objective is
    (1/n)‖y − Xw‖² + (λ/2)‖w‖², so α = nλ/2. With ``loss="half-mean"``, (1/2n)‖y − Xw‖², α = nλ.
    With ``loss="sum"``, ‖y − Xw‖², α = λ/2.
    """
    return weight_decay * _ridge_factor(n, loss)


def as_weight_decay(alpha: float, n: int, *, loss: str = "mean") -> float:
    """The inverse of :func:`as_ridge_alpha`: λ = 2α/n for torch's mean squared error."""
    return alpha / _ridge_factor(n, loss)


def _ridge_factor(n: int, loss: str) -> float:
    factors = {"mean": n / 2.0, "half-mean": float(n), "sum": 0.5}
    if loss not in factors:
        raise InputError(f"loss must be one of {', '.join(factors)}, got {loss!r}")
    return factors[loss]
