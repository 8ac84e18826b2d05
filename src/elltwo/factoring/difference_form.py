"""Standard form of a penalty given as an operator: what ‖L(x − x0)‖ sees, and what it does not.

Any P with L P = I serves as well as the pseudo-inverse, since the free directions N absorb the
difference: x = P y + N γ. For differences P is a cumulative sum, which needs no factorization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.errors import InputError
from elltwo.factoring.standard_form import StandardForm, standard_form
from elltwo.facts.problem import Penalty
from elltwo.operators import DifferenceOperator, as_operator

SUMMED_ORDERS = 2  # beyond it cumulative sums grow like n^order and lose digits; the SVD of L does not


@dataclass(frozen=True)
class DifferenceForm:
    """x = P y + N γ with P a ``order``-fold cumulative sum starting at zero, N polynomials.

    Attributes
    ----------
    p : number of coefficients; order : 1 or 2; null : (p, order) orthonormal N.
    """

    p: int
    order: int
    null: np.ndarray

    @property
    def size(self) -> int:
        """Number of penalised coordinates."""
        return self.p - self.order

    @property
    def diagonal(self) -> None:
        """L is not diagonal."""
        return None

    def of_columns(self, M: np.ndarray) -> np.ndarray:
        """M P for M (..., p): sums from the right, each one column shorter."""
        for _ in range(self.order):
            M = np.cumsum(M[..., :0:-1], axis=-1)[..., ::-1]
        return M

    def lift(self, y: np.ndarray) -> np.ndarray:
        """P y for y (p − order, m)."""
        for _ in range(self.order):
            y = np.concatenate([np.zeros((1, *y.shape[1:])), np.cumsum(y, axis=0)])
        return y


Form = StandardForm | DifferenceForm


def form_of(L: Any, p: int) -> Form:
    """Standard form of L: None, a DifferenceOperator, a matrix (dense or sparse) or any operator.

    Raises
    ------
    InputError
        If L has another number of columns than there are unknowns, or is complex or not finite.
    """
    if L is None:
        return standard_form(Penalty(), p)
    operator = as_operator(L)
    if operator.shape[1] != p:
        raise InputError(f"L must have as many columns as A, {p}; got shape {operator.shape}")
    free_differences = isinstance(L, DifferenceOperator) and L.kind == "differences" and L.edge == "free"
    if free_differences and L.order <= SUMMED_ORDERS:
        return DifferenceForm(p, L.order, L.null_space())
    dense = operator.todense()
    if not np.any(dense):
        raise InputError("L is zero, so it penalises nothing: leave it out for the identity")
    return standard_form(Penalty(operator=dense), p)
