"""The answer at the chosen λ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Solution:
    """The answer at the chosen λ (one per target).

    Attributes
    ----------
    alpha : (t,) λ.
    coef : (p, t).
    intercept : (t,).
    df : (t,) degrees of freedom, free block included.
    norm : (t,) ‖L(x − x0)‖.
    rss : (t,) weighted residual sum of squares.
    sigma2 : (t,) residual variance rss/(n − df), nan when n ≤ df.
    digits : estimated correct digits of the coefficients.
    """

    alpha: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    df: np.ndarray
    norm: np.ndarray
    rss: np.ndarray
    sigma2: np.ndarray
    digits: float
    notes: tuple[str, ...] = ()
