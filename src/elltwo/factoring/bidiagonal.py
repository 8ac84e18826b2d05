"""Spectrum by bidiagonalization that carries only the data: half the price of an SVD.

A = Q B Pᵀ (Householder), B = W S Vᵀ by QR iteration applied to Qᵀb alone: neither U nor V is formed,
yet s and z = Uᵀb are those of the SVD, so every selection curve is exact. Coefficients at a λ come
from a tridiagonal system; V itself is made when somebody asks for it.

Eldén, BIT 17 (1977) 134; Golub & Kahan, SIAM J. Numer. Anal. B 2 (1965) 205.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lapack as scipy_lapack
from scipy.linalg import qr_multiply

from elltwo.factoring.clean import keep, svd_floor
from elltwo.factoring.difference_form import Form, form_of
from elltwo.factoring.lapack import Bidiagonal, bdsqr, gebrd, ormbr
from elltwo.factoring.svd import free_block
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import Free, Origin, Spectrum

TALL = 1.6  # rows over columns from which a QR first is cheaper


@dataclass(frozen=True)
class Standard:
    """The problem in standard form: min ‖M y − c‖² + λ‖y‖², x = x0 + P y − T(K y) + T Qᵀb.

    Attributes
    ----------
    form : P and N.
    M : (m, k0) (I − QQᵀ) A P.
    Q : (m, q) image of the free directions; T : (p, q) with A T = Q; coupling : (q, k0) K = Qᵀ A P.
    """

    form: Form
    M: np.ndarray
    Q: np.ndarray
    T: np.ndarray
    coupling: np.ndarray

    def lift(self, y: np.ndarray) -> np.ndarray:
        """(p, t) coefficients of coordinates y (k0, t), without x0 and the free part."""
        x = self.form.lift(y)
        return x - self.T @ (self.coupling @ y) if self.Q.shape[1] else x


def standard(A: np.ndarray, L: Any) -> Standard:
    """Bring a dense A with penalty operator L into standard form, free directions projected out."""
    form = form_of(L, A.shape[1])
    reach = np.linalg.norm(np.abs(A) @ np.abs(form.null), axis=0) if form.null.shape[1] else np.zeros(0)
    Q, T = free_block(A @ form.null, form.null, reach)
    M = form.of_columns(A)
    K = Q.T @ M
    return Standard(form, M - Q @ K if Q.shape[1] else M, Q, T, K)


@dataclass(frozen=True)
class BidiagonalMap:
    """V = lift(P V_B): coordinates to coefficients; V_B is computed on first use.

    Attributes
    ----------
    standard, bidiagonal : the two halves of the factorization; k : directions kept.
    """

    standard: Standard
    bidiagonal: Bidiagonal
    k: int

    @cached_property
    def _right(self) -> np.ndarray:
        svd = bdsqr(self.bidiagonal, None, vectors=True)
        assert svd.Vt is not None
        return svd.Vt[: self.k].T

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        """(p, ...) coefficients of the coordinates y (k, ...)."""
        flat = np.asarray(y).reshape(self.k, -1)
        out = self.lift(self._right @ flat)
        return out.reshape(-1, *np.shape(y)[1:])

    def toarray(self) -> np.ndarray:
        """(p, k) the map itself."""
        return self @ np.eye(self.k)

    def lift(self, y: np.ndarray) -> np.ndarray:
        """(p, t) coefficients of bidiagonal coordinates y (j, t)."""
        padded = np.zeros((self.bidiagonal.packed.shape[1], y.shape[1]))
        padded[: y.shape[0]] = y
        return self.standard.lift(ormbr(self.bidiagonal, "P", False, padded))


@dataclass(frozen=True)
class BidiagonalDirect:
    """Coefficients at a λ from min ‖B y − c‖² + λ‖y‖², a tridiagonal system; b is in c.

    Attributes
    ----------
    map : the map; c : (j, t) Qᵀb in bidiagonal rows; offset : (p, t) prior mean and free part.
    """

    map: BidiagonalMap
    c: np.ndarray
    offset: np.ndarray

    def at(self, alphas: np.ndarray) -> np.ndarray:
        """(p, t) coefficients at one λ per target."""
        if np.any(np.asarray(alphas) == 0):  # λ = 0 needs the truncation that the spectrum made
            return self._through_map(np.asarray(alphas))
        y = np.column_stack([self._column(j, float(a)) for j, a in enumerate(alphas)])
        return self.offset + self.map.lift(y)

    def _column(self, j: int, alpha: float) -> np.ndarray:
        """Solve √λ r + B y = c, Bᵀ r − √λ y = 0 with r = (c − B y)/√λ.

        Ordered y₁ r₁ y₂ r₂ … the matrix is tridiagonal with off-diagonals d₁ e₁ d₂ e₂ …, symmetric,
        with eigenvalues ±√(s² + λ): no square of B's condition enters.
        """
        B = self.map.bidiagonal
        size = B.d.size
        if np.isinf(alpha):
            return np.zeros(size)
        root = np.sqrt(alpha)
        off = np.empty(2 * size - 1)
        off[::2], off[1::2] = B.d, B.e
        # B lower: the same system with the roles of the two sequences exchanged
        diagonal = np.tile([-root, root] if B.upper else [root, -root], size)
        right = np.zeros(2 * size)
        slot = 1 if B.upper else 0
        right[slot::2] = self.c[:size, j]
        *_, solution, info = scipy_lapack.dgtsv(off, diagonal, off.copy(), right)
        if info:
            raise np.linalg.LinAlgError("the tridiagonal system is singular")
        return solution[1 - slot :: 2]

    def _through_map(self, alphas: np.ndarray) -> np.ndarray:
        svd = bdsqr(self.map.bidiagonal, self.c)
        k = self.map.k
        s = svd.s[:k, None]
        finite = np.where(np.isinf(alphas), 0.0, alphas)
        y = np.where(np.isinf(alphas), 0.0, s / (s**2 + finite)) * svd.C[:k]
        return self.offset + np.asarray(self.map @ y)


def factor_bidiagonal(
    A: np.ndarray, b: np.ndarray, L: Any = None, x0: np.ndarray | None = None, noise: float | None = None
) -> Rotated:
    """Return the Rotated of min ‖A x − b‖² + λ‖L(x − x0)‖² for dense A (m, p) and b (m, t).

    Weights are for the caller: pass √W A and √W b.
    """
    b = b if x0 is None else b - (A @ x0).reshape(A.shape[0], -1)
    form = standard(A, L)
    free = form.Q.T @ b
    inside = b - form.Q @ free
    M, c, outside = _tall_first(form.M, inside)
    B = gebrd(M)
    rotated = ormbr(B, "Q", True, c)
    B = _trim(B)
    size = B.d.size
    svd = bdsqr(B, rotated[:size])
    allowed = min(A.shape[0] - form.Q.shape[1], form.form.size)
    k = keep(svd.s, svd_floor(form.M.shape), allowed)
    rest = outside + (rotated[size:] ** 2).sum(axis=0) + (svd.C[k:] ** 2).sum(axis=0)
    mapping = BidiagonalMap(form, B, k)
    spectrum = Spectrum(
        s=svd.s[:k],
        map=mapping,
        rows=None,
        free=Free(False, np.zeros(A.shape[1]), form.T),
        shape=(A.shape[0], A.shape[1]),
        weight=float(A.shape[0]),
        dropped=allowed - k,
        origin=Origin("bidiagonal", _REASON, squared=False),
        x0=x0,
    )
    offset = form.T @ free + (0.0 if x0 is None else x0.reshape(A.shape[1], -1))
    direct = BidiagonalDirect(mapping, rotated[:size], np.broadcast_to(offset, (A.shape[1], b.shape[1])))
    total = (inside**2).sum(axis=0)
    full = k + form.Q.shape[1] >= A.shape[0]
    return Rotated(
        spectrum,
        svd.C[:k],
        free,
        np.zeros(b.shape[1]),
        rest * (0.0 if full else 1.0),
        total,
        None,
        noise,
        direct,
    )


_REASON = "dense, and only b is carried along: every curve at half the price of an SVD"


def _tall_first(M: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R, Qᵀb, energy of b outside) when M is tall; (M, b, 0) otherwise."""
    if M.shape[0] <= TALL * M.shape[1]:
        return M, b, np.zeros(b.shape[1])
    inner, R = qr_multiply(M, b.T, mode="right")
    c = inner.T
    total = (b**2).sum(axis=0)
    return R, c, np.maximum(total - (c**2).sum(axis=0), 0.0)


def _trim(B: Bidiagonal) -> Bidiagonal:
    """Cut a trailing block below rounding, eps·‖B‖: severely ill-posed problems end after a few columns."""
    size = np.abs(B.d)
    size[1:] = np.maximum(size[1:], np.abs(B.e))
    if not size.max(initial=0.0) > 0:
        return B
    live = np.flatnonzero(size > np.finfo(float).eps * size.max())
    k = int(live[-1]) + 1
    return Bidiagonal(B.d[:k], B.e[: k - 1], B.upper, B.packed, B.tauq, B.taup)
