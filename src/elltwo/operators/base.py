"""What an operator is: shape, dtype, A x and Aᵀ y; everything else follows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator


class Operator(LinearOperator):
    """A real linear map known by its products, at once a SciPy ``LinearOperator``.

    A subclass gives ``_forward`` and ``_backward``, each from (n, k) to (m, k) and back, so that one
    vector and a block of vectors take the same road. SciPy supplies ``@``, ``.T``, ``.H``, ``+``
    and every routine that accepts a ``LinearOperator``.

    Attributes
    ----------
    image_shape : tuple of int or None
        The shape in which a coefficient vector is a picture or a field.
    """

    image_shape: tuple[int, ...] | None = None

    def __init__(self, shape: tuple[int, int], dtype: Any = np.float64) -> None:
        super().__init__(np.dtype(dtype), shape)

    def _forward(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _backward(self, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._forward(x.reshape(-1, 1))[:, 0]

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return self._backward(y.reshape(-1, 1))[:, 0]

    def _matmat(self, x: np.ndarray) -> np.ndarray:
        return self._forward(x)

    def _rmatmat(self, y: np.ndarray) -> np.ndarray:
        return self._backward(y)

    def todense(self) -> np.ndarray:
        """Return the (m, n) array this operator stands for; for small ones and for tests."""
        return np.asarray(self @ np.eye(self.shape[1], dtype=self.dtype))


class MatrixOperator(Operator):
    """An array or SciPy sparse array as an operator."""

    def __init__(self, matrix: Any) -> None:
        super().__init__(matrix.shape, matrix.dtype)
        self.matrix = matrix
        # Aᵀ y through a second CSR array is twice as fast as through the CSC view of the first
        self._transposed = matrix.T.tocsr() if hasattr(matrix, "tocsr") else matrix.T

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ x)

    def _backward(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self._transposed @ y)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ x.ravel())

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self._transposed @ y.ravel())

    def todense(self) -> np.ndarray:
        """Return the matrix as an array."""
        return np.asarray(self.matrix.toarray() if hasattr(self.matrix, "toarray") else self.matrix)

    def largest(self) -> float:
        """The largest entry in size."""
        entries = self.matrix.data if hasattr(self.matrix, "toarray") else self.matrix
        return max(float(entries.max(initial=0)), -float(entries.min(initial=0)))


class WrappedOperator(Operator):
    """Somebody else's SciPy ``LinearOperator`` (or one that speaks its language, as PyLops' do)."""

    def __init__(self, inner: Any) -> None:
        super().__init__(tuple(inner.shape), inner.dtype if inner.dtype is not None else np.float64)
        self.inner = inner
        dims = getattr(inner, "dims", None)
        self.image_shape = tuple(dims) if dims is not None and np.prod(dims) == inner.shape[1] else None

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.inner.matmat(x))

    def _backward(self, y: np.ndarray) -> np.ndarray:
        return np.column_stack([np.asarray(self.inner.rmatvec(column)).ravel() for column in y.T])

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.inner.matvec(x.ravel())).ravel()

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self.inner.rmatvec(y.ravel())).ravel()
