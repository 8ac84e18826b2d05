"""Kronecker products: one small product per axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.errors import InputError
from elltwo.operators.base import Operator
from elltwo.operators.convert import as_operator


class KroneckerOperator(Operator):
    """A₁ ⊗ A₂ ⊗ … applied axis by axis to a field in C order, never formed.

    (A₁ ⊗ A₂) vec(X) = vec(A₁ X A₂ᵀ) with vec stacking rows.

    Parameters
    ----------
    *factors : array, sparse or operator
        One per axis, slowest axis first.
    """

    def __init__(self, *factors: Any) -> None:
        if not factors:
            raise InputError("a Kronecker product needs at least one factor; got none")
        self.factors = tuple(as_operator(f) for f in factors)
        rows = int(np.prod([f.shape[0] for f in self.factors]))
        columns = int(np.prod([f.shape[1] for f in self.factors]))
        super().__init__((rows, columns), np.result_type(*(f.dtype for f in self.factors)))
        self.image_shape = tuple(f.shape[1] for f in self.factors)

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return self._axes(x, [f.matmat for f in self.factors], [f.shape[1] for f in self.factors])

    def _backward(self, y: np.ndarray) -> np.ndarray:
        return self._axes(y, [f.rmatmat for f in self.factors], [f.shape[0] for f in self.factors])

    def _axes(self, x: np.ndarray, products: list[Any], sizes: list[int]) -> np.ndarray:
        field = x.reshape([*sizes, x.shape[1]])
        for axis, product in enumerate(products):
            moved = np.moveaxis(field, axis, 0)
            out = product(np.ascontiguousarray(moved.reshape(moved.shape[0], -1)))
            field = np.moveaxis(out.reshape(-1, *moved.shape[1:]), 0, axis)
        return np.ascontiguousarray(field).reshape(-1, x.shape[1])
