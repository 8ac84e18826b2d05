"""Operators made of operators: stacked, composed, scaled by rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.errors import InputError
from elltwo.operators.base import Operator
from elltwo.operators.convert import as_operator


class StackedOperator(Operator):
    """[A₁; A₂; …]: the same unknowns measured several ways, or A above √λ L."""

    def __init__(self, *parts: Any) -> None:
        if not parts:
            raise InputError("a stack needs at least one operator; got none")
        self.parts = tuple(as_operator(p) for p in parts)
        widths = [p.shape[1] for p in self.parts]
        if len(set(widths)) > 1:
            raise InputError(f"stacked operators must share their number of columns; got {widths}")
        rows = sum(p.shape[0] for p in self.parts)
        super().__init__((rows, widths[0]), np.result_type(*(p.dtype for p in self.parts)))
        self.image_shape = next((p.image_shape for p in self.parts if p.image_shape), None)
        self._cuts = np.cumsum([p.shape[0] for p in self.parts])[:-1]

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return np.vstack([p.matmat(x) for p in self.parts])

    def _backward(self, y: np.ndarray) -> np.ndarray:
        pieces = np.split(y, self._cuts, axis=0)
        return np.sum([p.rmatmat(piece) for p, piece in zip(self.parts, pieces, strict=True)], axis=0)


class ComposedOperator(Operator):
    """A₁ A₂ …: the last one acts first."""

    def __init__(self, *parts: Any) -> None:
        if not parts:
            raise InputError("a composition needs at least one operator; got none")
        self.parts = tuple(as_operator(p) for p in parts)
        for left, right in zip(self.parts, self.parts[1:], strict=False):
            if left.shape[1] != right.shape[0]:
                raise InputError(
                    f"cannot compose shapes {left.shape} and {right.shape}: the inner sizes differ"
                )
        shape = (self.parts[0].shape[0], self.parts[-1].shape[1])
        super().__init__(shape, np.result_type(*(p.dtype for p in self.parts)))
        self.image_shape = self.parts[-1].image_shape

    def _forward(self, x: np.ndarray) -> np.ndarray:
        for part in reversed(self.parts):
            x = part.matmat(x)
        return x

    def _backward(self, y: np.ndarray) -> np.ndarray:
        for part in self.parts:
            y = part.rmatmat(y)
        return y


class RowScaledOperator(Operator):
    """diag(d) A: weights, or whitening by independent noise of known standard deviations 1/d.

    Rows whose d is 0 are left out.

    Attributes
    ----------
    rows : the rows of A that are kept; scale : (kept, 1) their factors.
    """

    def __init__(self, scale: np.ndarray, inner: Any) -> None:
        self.inner, factors = as_operator(inner), np.asarray(scale, np.float64)
        if factors.shape != (self.inner.shape[0],):
            raise InputError(f"{factors.shape[0]} weights cannot scale {self.inner.shape[0]} rows")
        self.rows: slice | np.ndarray = slice(None) if factors.all() else np.flatnonzero(factors)
        self.scale = factors[self.rows][:, None]
        super().__init__(
            (self.scale.shape[0], self.inner.shape[1]), np.result_type(self.inner.dtype, np.float64)
        )
        self.image_shape = self.inner.image_shape

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return self.scale * self.inner.matmat(x)[self.rows]

    def _backward(self, y: np.ndarray) -> np.ndarray:
        if isinstance(self.rows, slice):
            return self.inner.rmatmat(self.scale * y)
        whole = np.zeros((self.inner.shape[0], y.shape[1]))
        whole[self.rows] = self.scale * y
        return self.inner.rmatmat(whole)
