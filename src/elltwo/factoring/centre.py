"""A design as it enters a factorization: weights as roots, means, spreads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from elltwo.facts.moments import DesignMoments
from elltwo.tables.moments.dense import about

CONSTANT = 1e-13  # a spread below this fraction of the mean is rounding, not data


@dataclass(frozen=True)
class Centred:
    """A dense design with weights and means taken out: √w (A − m), and √w (b − b̄).

    Attributes
    ----------
    A : (n, p); b : (n, t); mean : (p,); mean_b : (t,); root : (n,) or None; weight : Σw.
    """

    A: np.ndarray
    b: np.ndarray
    mean: np.ndarray
    mean_b: np.ndarray
    root: np.ndarray | None
    weight: float


def centre_targets(
    b: np.ndarray, weights: np.ndarray | None, intercept: bool
) -> tuple[np.ndarray, np.ndarray]:
    """√w (b − b̄) and b̄ (zeros without an intercept)."""
    mean = np.average(b, axis=0, weights=weights) if intercept else np.zeros(b.shape[1])
    centred = b - mean
    if intercept:  # a second subtraction removes the rounding of the first
        rest = np.average(centred, axis=0, weights=weights)
        centred -= rest
        mean = mean + rest
    return (centred if weights is None else centred * np.sqrt(weights)[:, None]), mean


def centre_dense(A: Any, b: np.ndarray, weights: np.ndarray | None, intercept: bool) -> Centred:
    """Centre a dense copy of A; twice, so that columns at 1e8 keep all their digits."""
    A = A.toarray() if sparse.issparse(A) else np.array(A, dtype=float)
    mean = np.zeros(A.shape[1])
    for _ in range(2 if intercept else 0):
        step = np.average(A, axis=0, weights=weights)
        A -= step
        mean = mean + step
    root = None if weights is None else np.sqrt(weights)
    if root is not None:
        A *= root[:, None]
    centred_b, mean_b = centre_targets(b, weights, intercept)
    return Centred(A, centred_b, mean, mean_b, root, float(A.shape[0] if weights is None else weights.sum()))


def spread(square: np.ndarray, weight: float, mean: np.ndarray) -> np.ndarray:
    """(p,) population standard deviations from Σw(x − m)², with constant columns exactly 0."""
    sd = np.sqrt(np.maximum(square, 0.0) / weight)
    return np.where(sd > CONSTANT * np.abs(mean), sd, 0.0)


def centred_moments(m: DesignMoments, intercept: bool) -> DesignMoments:
    """Moments about the means (with an intercept) or about zero (without)."""
    if intercept:
        return about(m, m.mean_x, m.mean_y)
    return about(m, np.zeros_like(m.shift_x), np.zeros_like(m.shift_y))
