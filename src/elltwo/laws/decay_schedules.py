"""Schedules as factors of the peak learning rate: η_t = η_peak · factor(t), t = 0 … steps − 1."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from elltwo.errors import InputError, unknown_option

__all__ = ["SCHEDULES", "schedule_factor", "schedule_factors"]


def _constant(x: float, final: float) -> float:
    return 1.0


def _cosine(x: float, final: float) -> float:
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * x))


def _linear(x: float, final: float) -> float:
    return 1.0 - (1.0 - final) * x


def _inverse_square_root(x: float, final: float) -> float:
    # 1 at the start; `final` at the end, with the 1/sqrt(1 + c x) shape in between.
    c = final**-2 - 1.0 if final > 0 else 99.0
    return 1.0 / math.sqrt(1.0 + c * x)


def _warmup_stable_decay(x: float, final: float) -> float:
    # Constant for four fifths, then linear (Hu et al., arXiv:2404.06395, use a decay of 10-20 %).
    return 1.0 if x < 0.8 else 1.0 - (1.0 - final) * (x - 0.8) / 0.2


def _step(x: float, final: float) -> float:
    # A tenth at 1/3, 2/3 and 8/9 of the run: the ResNet schedule of Goyal et al., arXiv:1706.02677.
    return 0.1 ** sum(x >= edge for edge in (1 / 3, 2 / 3, 8 / 9))


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "rsqrt": _inverse_square_root,
    "wsd": _warmup_stable_decay,
    "step": _step,
}


def schedule_factor(name: str, step: int, steps: int, *, warmup: int = 0, final: float = 0.0) -> float:
    """Factor of the peak at ``step``: linear warm-up, then the named shape down to ``final``."""
    if name not in SCHEDULES:
        raise unknown_option("schedule", name, SCHEDULES)
    if step < warmup:
        return (step + 1) / warmup
    x = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return SCHEDULES[name](x, final)


def schedule_factors(
    name: str, steps: int, *, warmup: int = 0, final: float = 0.0, points: int | None = None
) -> NDArray[np.float64]:
    """Factors at every step, or at ``points`` evenly spread steps of a long run.

    Returns
    -------
    ndarray, shape (steps,) or (points,)

    Raises
    ------
    InputError
        If ``steps`` < 1 or ``warmup`` is not within the run.
    """
    if steps < 1 or not 0 <= warmup <= steps:
        raise InputError(f"a schedule needs steps >= 1 and 0 <= warmup <= steps, got {steps} and {warmup}")
    wanted = (
        range(steps) if points is None or points >= steps else np.linspace(0, steps - 1, points).astype(int)
    )
    return np.array([schedule_factor(name, int(t), steps, warmup=warmup, final=final) for t in wanted])
