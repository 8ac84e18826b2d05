"""λ of the last layer: the exact evidence of ridge on the features that the network hands it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from elltwo.decay.tuning.result import TunedDecay
from elltwo.errors import InputError
from elltwo.laws.decay import as_weight_decay

__all__ = ["by_evidence"]


def by_evidence(*, features: ArrayLike, targets: ArrayLike) -> TunedDecay:
    """λ of the last layer that maximises the marginal likelihood of ridge on its inputs, exactly."""
    from elltwo.factoring import factor
    from elltwo.facts.problem import Problem
    from elltwo.selecting import select

    a, b = np.asarray(features, dtype=float), np.asarray(targets, dtype=float)
    b = b[:, None] if b.ndim == 1 else b
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or len(a) < 3:
        raise InputError(
            f"features (n, p) and targets (n, t) must have the same rows, got {a.shape} and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("features or targets hold NaN or infinity: remove those rows")
    alpha = float(select(factor(Problem(a, b)), "evidence", per_target=False, others=False).alpha[0])
    # torch's mean squared error also averages over the t targets.
    decay = as_weight_decay(alpha, len(a)) / b.shape[1]
    said = (
        f"Exact evidence of ridge on {a.shape[1]} features and {len(a)} rows: α = {alpha:.4g}, in torch's mean squared "
        f"error with coupled decay λ = 2α/(n t) = {decay:.4g}; the bias is free.",
        "Beware: for the last layer alone, at the features as they are now.",
    )
    return TunedDecay(decay, "evidence", (), 0.0, said)
