"""Spectra that structure gives away: convolutions under the DCT or FFT, Kronecker products by axis.

| operator | penalty | transform |
|---|---|---|
| convolution, reflective, PSF symmetric along each axis | I, first differences, gradient, Laplacian | DCT-II |
| convolution, periodic | the same, periodic | FFT (as a real Hartley transform) |
| Kronecker product, or convolution with a separable PSF and any boundary | I | one small SVD per axis |

Ng, Chan & Tang, SIAM J. Sci. Comput. 21 (1999) 851; Hansen, Nagy & O'Leary, Deblurring Images (2006), ch. 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from scipy import fft, linalg

from elltwo.operators import ConvolutionOperator, DifferenceOperator, KroneckerOperator

Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Diagonal:
    """A = rows⁻¹ diag(a) columns, LᵀL = columnsᵀ diag(ell2) columns, all transforms orthonormal.

    Attributes
    ----------
    kind : ``"dct"``, ``"fft"`` or ``"kronecker"``.
    a : field of singular values with sign; ell2 : same shape, or None for L = I.
    to_rows : b (m,) → its coordinates, shaped like ``a``.
    from_columns : coordinates of x → x (n,).
    to_columns : x (n,) → its coordinates.
    shape : (m, n).
    reason : why this transform, in one sentence.
    """

    kind: str
    a: np.ndarray
    ell2: np.ndarray | None
    to_rows: Transform
    from_columns: Transform
    to_columns: Transform
    shape: tuple[int, int]
    reason: str


def diagonalize(A: Any, L: Any = None) -> Diagonal | None:
    """Return the diagonal form of A and L if their structure has one, else None."""
    if L is not None and not isinstance(L, DifferenceOperator):
        return None
    if isinstance(A, KroneckerOperator):
        return None if L is not None else _kronecker(A, [f.todense() for f in A.factors])
    if not isinstance(A, ConvolutionOperator):
        return None
    if L is not None and L.image_shape != A.image_shape:
        return None
    if A.boundary == "reflective" and A.axes_symmetric:
        symbol = None if L is None else L.symbol("dct")
        if L is None or symbol is not None:
            return _dct(A, symbol)
    if A.boundary == "periodic":
        symbol = None if L is None else L.symbol("fft")
        if L is None or symbol is not None:
            return _fft(A, symbol)
    matrices = A.axis_matrices() if L is None else None
    return None if matrices is None else _kronecker(A, list(matrices))


def dct_eigenvalues(A: ConvolutionOperator) -> np.ndarray:
    """Eigenvalues Σ h_j cos(πk₁j₁/n₁)… of a reflective convolution whose PSF is symmetric."""
    if A.factors is not None:
        return reduce(np.multiply.outer, map(_cosines, A.factors, A.image_shape or ()))
    field = A.psf[tuple(slice(p // 2, None) for p in A.psf.shape)]
    for n in A.image_shape or ():  # each round takes the first axis away and puts its transform last
        field = np.tensordot(field, _half_cosines(field.shape[0], n), axes=(0, 1))
    return field


def _cosines(line: np.ndarray, n: int) -> np.ndarray:
    """(n,) eigenvalues of one symmetric axis."""
    half = line[line.size // 2 :]
    return _half_cosines(half.size, n) @ half


def _half_cosines(reach: int, n: int) -> np.ndarray:
    """(n, reach) cos(πkj/n), twice where j > 0: the other half of a symmetric line."""
    j = np.arange(reach)
    return np.cos(np.pi * np.outer(np.arange(n), j) / n) * np.where(j, 2.0, 1.0)


def _dct(A: ConvolutionOperator, ell2: np.ndarray | None) -> Diagonal:
    shape = A.image_shape

    def forward(b: np.ndarray) -> np.ndarray:
        return fft.dctn(b.reshape(shape), norm="ortho")

    def backward(x: np.ndarray) -> np.ndarray:
        return fft.idctn(x, norm="ortho", overwrite_x=True).ravel()  # x is made for this call

    reason = "reflective boundary and a symmetric PSF: the cosine transform diagonalises A and L exactly"
    return Diagonal("dct", dct_eigenvalues(A), ell2, forward, backward, forward, A.shape, reason)


def _fft(A: ConvolutionOperator, ell2: np.ndarray | None) -> Diagonal:
    """Hartley coordinates H = Re F − Im F are real and orthonormal; A = H⁻¹|a|H after its phase."""
    shape = A.image_shape
    wrapped = fft.irfftn(A.symbol, shape)
    symbol = fft.fftn(wrapped)
    size = np.abs(symbol)
    phase = np.divide(symbol, size, out=np.ones_like(symbol), where=size > 0)

    def hartley(x: np.ndarray) -> np.ndarray:
        F = fft.fftn(x.reshape(shape), norm="ortho")
        return F.real - F.imag

    def rows(b: np.ndarray) -> np.ndarray:
        F = phase.conj() * fft.fftn(b.reshape(shape), norm="ortho")
        return F.real - F.imag

    reason = "periodic boundary: the Fourier transform diagonalises A and L exactly"
    return Diagonal("fft", size, ell2, rows, lambda y: hartley(y).ravel(), hartley, A.shape, reason)


def _kronecker(A: Any, factors: list[np.ndarray]) -> Diagonal:
    decompositions = [linalg.svd(f, full_matrices=False) for f in factors]
    a = reduce(np.multiply.outer, [s for _, s, _ in decompositions])
    left = [U for U, _, _ in decompositions]
    right = [Vt.T for _, _, Vt in decompositions]

    def along(field: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
        for axis, matrix in enumerate(matrices):
            field = np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
        return field

    def rows(b: np.ndarray) -> np.ndarray:
        return along(b.reshape([U.shape[0] for U in left]), [U.T for U in left])

    def columns(x: np.ndarray) -> np.ndarray:
        return along(x.reshape([V.shape[0] for V in right]), [V.T for V in right])

    def backward(y: np.ndarray) -> np.ndarray:
        return along(y, right).ravel()

    reason = "a Kronecker product: the SVD of each axis gives the SVD of the whole"
    return Diagonal("kronecker", a, None, rows, backward, columns, A.shape, reason)
