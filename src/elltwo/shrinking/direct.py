"""One λ, no path: a Cholesky solve of (K + λI)c = b."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import linalg

from elltwo.errors import AccuracyWarning


def solve_kernel(
    K: np.ndarray, b: np.ndarray, alpha: np.ndarray, root: np.ndarray | None = None
) -> np.ndarray:
    """Dual coefficients c (n, t) of kernel ridge, minimising Σ wᵢ(bᵢ − (Kc)ᵢ)² + λ cᵀKc.

    c = √W (√W K √W + λI)⁻¹ √W b, by Cholesky; by least squares (and a warning) where λ is too small
    for the matrix to be numerically positive definite. alpha is (1,) or (t,).
    """
    if root is not None:
        K, b = K * np.outer(root, root), b * root[:, None]
    if np.unique(alpha).size == 1:
        c = _solve(K, b, float(alpha[0]))
    else:
        c = np.column_stack([_solve(K, b[:, j], float(alpha[j])) for j in range(b.shape[1])])
    return c if root is None else c * root[:, None]


def _solve(K: np.ndarray, b: np.ndarray, alpha: float) -> np.ndarray:
    if np.isinf(alpha):
        return np.zeros_like(b)
    shifted = K + alpha * np.eye(K.shape[0])
    try:
        return linalg.cho_solve(
            linalg.cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False), b
        )
    except np.linalg.LinAlgError:
        warnings.warn(
            f"K + {alpha:g} I is not numerically positive definite, so a least-squares solution is returned: "
            "use a larger alpha",
            AccuracyWarning,
            stacklevel=2,
        )
        return linalg.lstsq(K + alpha * np.eye(K.shape[0]), b, check_finite=False)[0]
