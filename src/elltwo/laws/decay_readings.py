"""From four sums per tensor to what one optimizer step did: rotation, share of decay, effective rate.

Measured around one step w₀ → w₁ with Δ = w₁ − w₀: ‖g‖², ‖Δ‖², ⟨w₁, Δ⟩, ‖w₁‖². Everything else follows, so a
monitor needs one pass over the weights and no angle between nearly parallel vectors is ever taken by arccos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["StepSums", "decay_share", "effective_rate", "rotation", "start_squared"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StepSums:
    """Sums around one step, one entry per tensor: shapes (tensors,)."""

    gradient: Array
    step: Array
    along: Array
    weight: Array


def start_squared(sums: StepSums) -> Array:
    """‖w₀‖² = ‖w₁‖² − 2⟨w₁, Δ⟩ + ‖Δ‖²."""
    return np.maximum(sums.weight - 2.0 * sums.along + sums.step, 0.0)


def rotation(sums: StepSums) -> Array:
    """Angle between w₀ and w₁ in radians: atan2(‖Δ_⊥‖, component of w₀ along w₁), exact for tiny angles.

    With ŵ = w₁/‖w₁‖, Δ_⊥² = ‖Δ‖² − ⟨ŵ, Δ⟩² and ⟨ŵ, w₀⟩ = ‖w₁‖ − ⟨ŵ, Δ⟩. Zero weights give nan.
    """
    norm = np.sqrt(np.where(sums.weight > 0, sums.weight, np.nan))
    radial = sums.along / norm
    across = np.sqrt(np.maximum(sums.step - radial**2, 0.0))
    return np.asarray(np.arctan2(across, norm - radial), dtype=np.float64)


def decay_share(sums: StepSums, rate: Array) -> Array:
    """‖D‖/(‖D‖ + ‖Δ − D‖) with D = −k w₀, k the shrink of the step (η λ): the share of the update due to decay.

    Δ − D = (1 − k)Δ + k w₁, whose squared norm is (1 − k)²‖Δ‖² + 2k(1 − k)⟨w₁, Δ⟩ + k²‖w₁‖².
    """
    k = np.asarray(rate, dtype=float)
    rest = (1 - k) ** 2 * sums.step + 2 * k * (1 - k) * sums.along + k**2 * sums.weight
    own = k * np.sqrt(start_squared(sums))
    total = own + np.sqrt(np.maximum(rest, 0.0))
    return np.asarray(np.divide(own, total, out=np.full_like(total, np.nan), where=total > 0))


def effective_rate(family: str, lr: Array, weight: Array) -> Array:
    """Effective learning rate of a scale-invariant weight: η/‖w‖² under SGD, η/‖w‖ under AdamW, nan else.

    Sources: van Laarhoven, arXiv:1706.05350; Kosson et al., arXiv:2305.17212 (normalized updates).
    """
    power = {"sgd": 1.0, "adamw": 0.5}.get(family)
    if power is None:
        return np.full_like(np.asarray(weight, float), np.nan)
    return np.asarray(lr / np.where(weight > 0, weight, np.nan) ** power, dtype=np.float64)
