"""Mergeable sufficient statistics of rows, kept relative to an exact shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Second moments of P columns: Σw, Σw(x−c), Σw(x−c)(x−c)ᵀ with an exact shift c.

    The shift is a float chosen from the data, not a mean: re-shifting by the difference of two
    shifts is exact to rounding, so merging in any order loses nothing at mean/sd = 1e8, where a
    mean that was itself rounded would lose eps·mean/sd at every merge.

    Attributes
    ----------
    count : number of rows, whatever their weight.
    weight : Σw.
    shift : (P,) the exact shift c.
    first : (P,) Σ w (x − c).
    second : (P, P) Σ w (x − c)(x − c)ᵀ, symmetric.
    """

    count: int
    weight: float
    shift: np.ndarray
    first: np.ndarray
    second: np.ndarray


@dataclass(frozen=True)
class DesignMoments:
    """The moments of a design X (p columns) and its targets Y (t columns), relative to shifts.

    Of the targets only the squares are kept, not their cross products, so thousands of targets
    cost p·t numbers.

    Attributes
    ----------
    count, weight : number of rows and Σw.
    shift_x, shift_y : (p,), (t,) exact shifts.
    first_x, first_y : (p,), (t,) Σw(x − c).
    xx : (p, p) Σw(x − c)(x − c)ᵀ.
    xy : (p, t) Σw(x − c)(y − c)ᵀ.
    yy : (t,) Σw(y − c)².
    """

    count: int
    weight: float
    shift_x: np.ndarray
    shift_y: np.ndarray
    first_x: np.ndarray
    first_y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    @property
    def mean_x(self) -> np.ndarray:
        """(p,) weighted means."""
        return self.shift_x + self.first_x / self.weight

    @property
    def mean_y(self) -> np.ndarray:
        """(t,) weighted means."""
        return self.shift_y + self.first_y / self.weight
