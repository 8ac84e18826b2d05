"""What is asked: a design, its targets, weights, and which directions are free of any penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Penalty:
    """λ‖L(x − x0)‖², where L is the identity, a diagonal or a matrix.

    Attributes
    ----------
    scale : (p,) or None
        Diagonal L; 0 marks a free column. None means the identity.
    operator : (m, p) or None
        General L; applied after ``scale`` if both are given: ‖L diag(scale) (x − x0)‖².
    x0 : (p,) or (p, t) or None
        Prior mean that coefficients are shrunk toward (None is 0).
    standardize : bool
        Multiply ``scale`` by each column's population standard deviation (weights included), redone
        on each training fold. The penalty then applies to standardized columns.
    """

    scale: np.ndarray | None = None
    operator: np.ndarray | None = None
    x0: np.ndarray | None = None
    standardize: bool = False

    @property
    def plain(self) -> bool:
        """True when L is the identity for every fold."""
        return self.scale is None and self.operator is None and not self.standardize


@dataclass(frozen=True)
class Problem:
    """minimise Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖L(x − x0)‖² over x and, if ``intercept``, over g.

    Attributes
    ----------
    A : (n, p) array or SciPy sparse array.
    b : (n, t) targets.
    weights : (n,) or None, nonnegative.
    intercept : is a constant column fitted free of penalty?
    penalty : the L and x0 above.
    """

    A: Any
    b: np.ndarray
    weights: np.ndarray | None = None
    intercept: bool = True
    penalty: Penalty = Penalty()
