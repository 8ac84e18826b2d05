"""The one place where a spectrum is truncated."""

from __future__ import annotations

import numpy as np


def keep(s: np.ndarray, floor: float, most: int) -> int:
    """How many of the descending singular values s carry information.

    ``floor`` is relative to the largest; ``most`` is what the shape allows (rows minus free rank).
    """
    if s.size == 0 or not s[0] > 0:
        return 0
    return int(min(np.sum(s > floor * s[0]), most))


def svd_floor(shape: tuple[int, int]) -> float:
    """max(n, p)·eps, as in LAPACK users' guide and numpy.linalg.matrix_rank."""
    return max(shape) * float(np.finfo(float).eps)


def gram_floor(size: int) -> float:
    """√(p·eps): squared singular values below p·eps of the largest are rounding of the Gram matrix."""
    return float(np.sqrt(size * np.finfo(float).eps))
