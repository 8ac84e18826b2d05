"""The first step of each torch optimizer when the gradient is zero: what its weight decay does alone.

Coupled decay passes λw through the optimizer. In SGD that shrinks every weight in proportion. In Adam it
moves every weight by the same η, whatever λ is: the number is divided away, which is why decay was decoupled.
Formulas follow the single-tensor code of torch 2.13; ``w`` has any shape, the return value has its shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elltwo.errors import unknown_option

__all__ = ["ZERO_GRADIENT", "step_without_gradient"]

Array = NDArray[np.float64]


def _decoupled(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    return w * (1 - lr * wd)


def _unmoved(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    return w


def _sgd(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    # The first momentum buffer is the gradient itself, undampened; Nesterov adds momentum times it.
    boost = 1 + o.get("momentum", 0.0) if o.get("nesterov") else 1.0
    return w - lr * boost * wd * w


def _adam(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    if o.get("decoupled_weight_decay"):
        return _decoupled(w, lr, wd, o)
    g = wd * w
    return w - lr * g / (np.abs(g) + o.get("eps", 1e-8))


def _adamax(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    g = wd * w
    return w - lr * g / (np.abs(g) + o.get("eps", 1e-8))


def _nadam(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    if o.get("decoupled_weight_decay"):
        return _decoupled(w, lr, wd, o)
    beta1, psi = o.get("betas", (0.9, 0.999))[0], o.get("momentum_decay", 4e-3)
    now, then = (beta1 * (1 - 0.5 * 0.96 ** (k * psi)) for k in (1, 2))
    g = wd * w
    return w - lr * (1 + then * (1 - beta1) / (1 - now * then)) * g / (np.abs(g) + o.get("eps", 1e-8))


def _radam(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    # The first steps are not rectified: the bias-corrected first moment, here λw, is the update.
    return w - lr * wd * w


def _adagrad(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    g = wd * w
    return w - lr * g / (np.sqrt(o.get("initial_accumulator_value", 0.0) + g * g) + o.get("eps", 1e-10))


def _adadelta(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    g, rho, eps = wd * w, o.get("rho", 0.9), o.get("eps", 1e-6)
    return w - lr * np.sqrt(eps) / np.sqrt((1 - rho) * g * g + eps) * g


def _rmsprop(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    g, alpha = wd * w, o.get("alpha", 0.99)
    mean = (1 - alpha) * g if o.get("centered") else 0.0
    return w - lr * g / (np.sqrt((1 - alpha) * g * g - mean * mean) + o.get("eps", 1e-8))


def _asgd(w: Array, lr: float, wd: float, o: dict[str, Any]) -> Array:
    return w * (1 - o.get("lambd", 1e-4) * lr) - lr * wd * w


Formula = Callable[[Array, float, float, dict[str, Any]], Array]

ZERO_GRADIENT: dict[str, Formula] = {
    "SGD": _sgd,
    "AdamW": _decoupled,
    "Adafactor": _decoupled,
    "Muon": _decoupled,
    "Adam": _adam,
    "NAdam": _nadam,
    "RAdam": _radam,
    "Adamax": _adamax,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
    "RMSprop": _rmsprop,
    "ASGD": _asgd,
    "Rprop": _unmoved,
    "LBFGS": _unmoved,
    "SparseAdam": _unmoved,
}


def step_without_gradient(
    optimizer: str, w: Array, lr: float, weight_decay: float, **options: Any
) -> NDArray[np.float64]:
    """The weight after the first step of ``torch.optim.<optimizer>`` with a gradient of zeros.

    Parameters
    ----------
    optimizer : str
        Class name in ``torch.optim``.
    w : ndarray
        The weight, any shape.
    lr, weight_decay : float
    options : the optimizer's own further keywords: ``betas``, ``eps``, ``momentum`` …

    Raises
    ------
    UsageError
        For an optimizer that is not in the catalogue.
    """
    if optimizer not in ZERO_GRADIENT:
        raise unknown_option("optimizer", optimizer, ZERO_GRADIENT)
    w = np.asarray(w, dtype=float)
    return (
        w
        if weight_decay == 0 and optimizer != "ASGD"
        else ZERO_GRADIENT[optimizer](w, lr, weight_decay, options)
    )
