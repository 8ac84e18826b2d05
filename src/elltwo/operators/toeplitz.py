"""Toeplitz matrices, multiplied through a circulant of twice the size."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.linalg import toeplitz

from elltwo.errors import InputError
from elltwo.operators.base import Operator


class ToeplitzOperator(Operator):
    """Tᵢⱼ = c[i − j] for i ≥ j, r[j − i] for j > i, at O((m + n) log(m + n)) a product.

    Parameters
    ----------
    column : array_like, shape (m,)
        First column c.
    row : array_like, shape (n,), optional
        First row r; its first entry is ignored. Symmetric when omitted.

    Notes
    -----
    T is the leading block of a circulant of size ≥ m + n − 1 whose first column is
    (c, 0…0, r[n−1], …, r[1]); the FFT diagonalises it. Golub & Van Loan, Matrix Computations, §4.8.2.
    """

    def __init__(self, column: np.ndarray, row: np.ndarray | None = None) -> None:
        c = np.atleast_1d(np.asarray(column, np.float64))
        r = c if row is None else np.atleast_1d(np.asarray(row, np.float64))
        if c.ndim != 1 or r.ndim != 1 or not c.size or not r.size:
            raise InputError(
                f"a Toeplitz operator needs a first column and a first row; got shapes {c.shape}, {r.shape}"
            )
        if not (np.isfinite(c).all() and np.isfinite(r).all()):
            raise InputError(
                "the column or row of a Toeplitz operator holds NaN or infinity: remove or replace them"
            )
        super().__init__((c.size, r.size))
        self.column, self.row = c, r
        self._size = fft.next_fast_len(c.size + r.size - 1, real=True)
        padded = np.zeros(self._size)
        padded[: c.size] = c
        if r.size > 1:
            padded[-(r.size - 1) :] = r[:0:-1]
        self._symbol = fft.rfft(padded)[:, None]

    def _forward(self, x: np.ndarray) -> np.ndarray:
        spectrum = self._symbol * fft.rfft(x, self._size, axis=0)
        return fft.irfft(spectrum, self._size, axis=0)[: self.shape[0]]

    def _backward(self, y: np.ndarray) -> np.ndarray:
        spectrum = self._symbol.conj() * fft.rfft(y, self._size, axis=0)
        return fft.irfft(spectrum, self._size, axis=0)[: self.shape[1]]

    def todense(self) -> np.ndarray:
        """Return the (m, n) Toeplitz matrix."""
        return toeplitz(self.column, self.row)
