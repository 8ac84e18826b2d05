"""Spectrum of a kernel matrix: kernel ridge is ridge in the coordinates of K = U S² Uᵀ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from elltwo.errors import InputError
from elltwo.factoring.clean import gram_floor, keep
from elltwo.factoring.svd import rotate_dense
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import DenseMap, DenseRows, Free, Map, Origin, Rows, Spectrum

NEGATIVE = 1e-8  # an eigenvalue below minus this fraction of the largest is no rounding


@dataclass(frozen=True)
class NoMap:
    """The coefficient side of a factorization that kept eigenvalues only."""

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        raise InputError("only eigenvalues were computed: solve for the coefficients at the chosen strength")

    def toarray(self) -> np.ndarray:
        return self @ np.zeros(0)


def factor_kernel(K: np.ndarray, b: np.ndarray, root: np.ndarray | None = None) -> Rotated:
    """Spectrum of √W K √W (n, n) and the rotated targets; coefficients are dual.

    minimise Σᵢ wᵢ (bᵢ − (Kc)ᵢ)² + λ cᵀKc; the map sends coordinates to √w-scaled dual coefficients
    c/√w = U (z/(s² + λ)), and the norm of the spectrum is the RKHS norm (cᵀKc)^½.

    Raises
    ------
    InputError : K is not symmetric positive semidefinite.
    """
    K, b = _weighted(K, b, root)
    squares, W = linalg.eigh(K, driver="evd", check_finite=False)
    check_eigenvalues(squares)
    s = np.sqrt(np.maximum(squares[::-1], 0.0))
    k = keep(s, gram_floor(K.shape[0]), K.shape[0])
    U = np.ascontiguousarray(W[:, ::-1][:, :k])
    spectrum = _spectrum(
        s[:k], DenseMap(U / s[:k]), DenseRows(U, np.zeros((K.shape[0], 0))), K.shape[0] - k, root
    )
    return rotate_dense(spectrum, b, np.zeros(b.shape[1]))


def factor_kernel_values(K: np.ndarray, b: np.ndarray, root: np.ndarray | None = None) -> Rotated:
    """Eigenvalues and Uᵀb only, at about half the price: enough for GCV and evidence over all λ.

    K is reduced to tridiagonal form T = QᵀKQ; the eigenvectors of T alone meet Qᵀb, and the n × n
    eigenvectors of K are never formed. Gu, J. Stat. Softw. (RKPACK 1989); Eldén, BIT 24 (1984) 467.
    """
    K, b = _weighted(K, b, root)
    n = K.shape[0]
    packed, d, e, tau, info = lapack.dsytrd(np.asfortranarray(K), lower=1, lwork=64 * n)
    if info:
        raise InputError(f"LAPACK could not reduce the kernel matrix (info {info}): check it for huge values")
    turned = b.copy()
    if n > 1:
        turned[1:] = lapack.dormqr(
            "L", "T", np.asfortranarray(packed[1:, :-1]), tau, turned[1:], lwork=64 * n
        )[0]
    squares, W = _eigh_tridiagonal(d, e)
    check_eigenvalues(squares)
    s = np.sqrt(np.maximum(squares[::-1], 0.0))
    k = keep(s, gram_floor(n), n)
    z = (W.T @ turned)[::-1][:k]
    spectrum = _spectrum(s[:k], NoMap(), None, n - k, root)
    total = np.einsum("ij,ij->j", b, b)
    rest = np.maximum(total - np.einsum("ij,ij->j", z, z), 0.0) * (0.0 if spectrum.full_row_rank else 1.0)
    return Rotated(spectrum, z, np.zeros((0, b.shape[1])), np.zeros(b.shape[1]), rest, total)


def _eigh_tridiagonal(d: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of a symmetric tridiagonal matrix."""
    try:
        return linalg.eigh_tridiagonal(d, e, lapack_driver="stemr")
    except np.linalg.LinAlgError:  # stemr gives up where off-diagonals vanish to rounding; QL does not
        return linalg.eigh_tridiagonal(d, e, lapack_driver="stev")


def check_eigenvalues(ascending: np.ndarray) -> None:
    """Refuse a kernel with a clearly negative eigenvalue, and one that is zero throughout."""
    low, high = float(ascending[0]), float(ascending[-1])
    if low < -NEGATIVE * max(abs(high), abs(low)):
        raise InputError(
            f"the kernel is not positive semidefinite: its smallest eigenvalue is {low:.3g} beside a largest of "
            f"{high:.3g}; use a positive semidefinite kernel, or add {-low:.3g} to its diagonal"
        )


def _weighted(K: np.ndarray, b: np.ndarray, root: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    K, b = np.asarray(K, dtype=float), np.asarray(b, dtype=float)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or K.shape[0] != b.shape[0]:
        raise InputError(
            f"a kernel matrix needs shape ({b.shape[0]}, {b.shape[0]}) like the targets, got {K.shape}"
        )
    asymmetry = float(np.max(np.abs(K - K.T), initial=0.0))
    if asymmetry > NEGATIVE * max(float(np.max(np.abs(K), initial=0.0)), 1e-300):
        raise InputError(
            f"the kernel matrix is not symmetric (K - K' reaches {asymmetry:.3g}): symmetrize it first"
        )
    return (K, b) if root is None else (K * np.outer(root, root), b * root[:, None])


def _spectrum(s: np.ndarray, map_: Map, rows: Rows | None, dropped: int, root: np.ndarray | None) -> Spectrum:
    n = s.size + dropped
    weight = float(n if root is None else np.sum(root**2))
    method = "kernel" if rows is not None else "kernel-tridiagonal"
    reason = (
        f"eigenvectors of the {n} x {n} kernel" if rows is not None else "eigenvalues suffice for this rule"
    )
    free = Free(False, np.zeros(n), np.zeros((n, 0)))
    # what truncation drops of a kernel is its numerical null space, which no dual coefficient needs
    return Spectrum(s, map_, rows, free, (n, n), weight, 0, Origin(method, reason, squared=True), root=root)
