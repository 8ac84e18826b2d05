"""The Spectrum: what one factorization leaves, free of the targets; and its two sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

BLOCK_BYTES = 1 << 20  # rows are visited in blocks of about 1 MB, which stay in cache


class Rows(Protocol):
    """The row side: the orthonormal matrix [U Q], visited in blocks, never needed whole."""

    @property
    def n(self) -> int:
        """Number of rows."""
        ...

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield (rows, U block (m, k), Q block (m, q)), scaled by √w; Q without the constant."""
        ...


class Map(Protocol):
    """The coefficient side: V with coef = V @ y, never needed whole."""

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        """(p, ...) coefficients of the coordinates y (k, ...)."""
        ...

    def toarray(self) -> np.ndarray:
        """(p, k) the map itself."""
        ...


@dataclass(frozen=True)
class DenseRows:
    """U and Q as arrays."""

    U: np.ndarray
    Q: np.ndarray

    @property
    def n(self) -> int:
        return self.U.shape[0]

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        step = block_rows(self.U.shape[1])
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            yield rows, self.U[rows], self.Q[rows]


@dataclass(frozen=True)
class ImplicitRows:
    """U = √w ((A − c)T − (m − c)T): the data and a small matrix; no second copy of A.

    Attributes
    ----------
    A : (n, p) array or sparse.
    shift : (p,) or None, subtracted from dense blocks first, where columns sit far from zero.
    centre : (p,) mean relative to the shift (zeros without an intercept).
    root : (n,) or None, √w.
    T, T_free : (p, k), (p, q).
    """

    A: Any
    shift: np.ndarray | None
    centre: np.ndarray
    root: np.ndarray | None
    T: np.ndarray
    T_free: np.ndarray

    @property
    def n(self) -> int:
        return self.A.shape[0]

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        step = block_rows(self.A.shape[1])
        T = np.hstack([self.T, self.T_free]) if self.T_free.shape[1] else self.T
        offset = self.centre @ T
        k = self.T.shape[1]
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            block = self.A[rows] if self.shift is None else self.A[rows] - self.shift
            U = np.asarray(block @ T)
            U -= offset
            if self.root is not None:
                U *= self.root[rows, None]
            yield rows, U[:, :k], U[:, k:]


@dataclass(frozen=True)
class DenseMap:
    """V as an array (p, k)."""

    V: np.ndarray

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        return self.V @ y

    def toarray(self) -> np.ndarray:
        return self.V


@dataclass(frozen=True)
class DualMap:
    """V = P(Aᶜ)ᵀU S⁻¹ for wide designs: n numbers per direction instead of p.

    ``A`` is the centred, weighted design (an object with ``.T @``); ``scale`` (p,) divides twice
    (once for the standard form, once for the way back); ``free`` maps coefficients onto the free
    columns (q rows) where there are any.
    """

    transpose: Any  # y (n, m) -> Aᶜᵀ y (p, m)
    U: np.ndarray
    s: np.ndarray
    scale: np.ndarray | None

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        lifted = self.transpose(self.U @ (y.T / self.s).T)
        return lifted if self.scale is None else (lifted.T / self.scale**2).T

    def toarray(self) -> np.ndarray:
        return self @ np.eye(self.s.size)


@dataclass(frozen=True)
class Free:
    """The free block: the intercept and unpenalised directions, projected out before factoring.

    Attributes
    ----------
    intercept : is the constant one of them?
    mean : (p,) column means that the intercept absorbs (zeros without one).
    T : (p, q) free directions as coefficients, orthonormal in the rows: Q = Aᶜ T.
    rank : q plus one for the intercept; counted in degrees of freedom and leverages.
    """

    intercept: bool
    mean: np.ndarray
    T: np.ndarray

    @property
    def rank(self) -> int:
        return self.T.shape[1] + int(self.intercept)


@dataclass(frozen=True)
class Origin:
    """How a Spectrum was made and why.

    Attributes
    ----------
    method : ``"svd"``, ``"gram"``, ``"dual"``, ``"moments"`` or what another room made.
    reason : one sentence.
    squared : True when squared singular values were computed, so that errors grow with κ, not √κ.
    eps : unit roundoff of the arithmetic.
    """

    method: str
    reason: str
    squared: bool
    eps: float = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Trace:
    """How traces of functions of the hat matrix are counted where directions do not stand for one each.

    tr φ(H) over the penalised directions = Σ countⱼ φ(sⱼ²/(sⱼ² + λ)). Exact for a spectrum whose
    directions were put into bins, and for all singular values beside a few Golub–Kahan steps; an estimate
    where ``sampled`` (steps on a random probe).

    Attributes
    ----------
    s : (m,) singular values; count : (m,) nonnegative numbers of directions.
    sampled : is this an estimate?
    apart : are these values of their own, rather than those of the spectrum's bins?
    floor : strengths below it are not yet resolved by the steps taken: no rule can judge them.
    """

    s: np.ndarray
    count: np.ndarray
    sampled: bool = False
    apart: bool = False
    floor: float = 0.0


@dataclass(frozen=True)
class Spectrum:
    """What L2 can do to a design: singular values, the map back to coefficients, the row side.

    In coordinates y of its directions the penalised problem is Σⱼ (zⱼ − sⱼyⱼ)² + λΣⱼyⱼ²; hence
    fit = Q Qᵀb + U f z with f = s²/(s² + λ), coef = x0 + V (s z/(s² + λ)) + free part.

    Attributes
    ----------
    s : (k,) singular values of the standard form, descending, cleaned once at birth.
    map : V, coordinates to coefficients.
    rows : U and Q, or None when only moments were kept.
    free : the free block.
    shape : (n, p) of the design; n counts rows.
    weight : Σw (n without weights).
    dropped : directions that truncation left out although the shape allows them.
    x0 : (p,) or (p, t) or None, prior mean; ``Rotated`` has subtracted its image from b.
    root : (n,) or None, √w.
    scale : (p,) or None, the diagonal of L as applied (standardization included); None for the
        identity or a general L.
    origin : how and why.
    trace : how degrees of freedom are counted, or None: one per direction of ``s``.
    """

    s: np.ndarray
    map: Map
    rows: Rows | None
    free: Free
    shape: tuple[int, int]
    weight: float
    dropped: int
    origin: Origin
    x0: np.ndarray | None = None
    root: np.ndarray | None = None
    scale: np.ndarray | None = None
    trace: Trace | None = None

    @property
    def counted(self) -> Trace:
        """The values and counts that traces are sums over."""
        return Trace(self.s, np.ones(self.s.size)) if self.trace is None else self.trace

    @property
    def binned(self) -> bool:
        """Does each direction stand for a bin of them?"""
        return self.trace is not None and not self.trace.apart

    @property
    def directions(self) -> float:
        """How many penalised directions there are."""
        return float(self.s.size) if self.trace is None else float(self.trace.count.sum())

    @property
    def full_row_rank(self) -> bool:
        """Do the directions and the free block span all rows? Then λ = 0 interpolates."""
        if self.trace is not None and self.trace.apart:
            return False
        return self.directions + self.free.rank >= self.shape[0] - 0.5

    def condition(self, alpha: float = 0.0) -> float:
        """(s₁² + λ)/(s_k² + λ), with s_k = 0 where truncation dropped a direction."""
        if self.s.size == 0 or np.isinf(alpha):
            return 1.0
        low = 0.0 if self.dropped else float(self.s[-1]) ** 2
        denominator = low + alpha
        return float("inf") if denominator == 0 else (float(self.s[0]) ** 2 + alpha) / denominator

    def digits(self, alpha: float) -> float:
        """Estimated correct digits of coefficients at λ: −log₁₀(eps·κ), or of eps·√κ for an SVD."""
        kappa = self.condition(alpha)
        loss = kappa if self.origin.squared else np.sqrt(kappa)
        return float(np.clip(-np.log10(self.origin.eps * loss), 0.0, 16.0))


def block_rows(columns: int) -> int:
    """Rows per block so that a block stays in cache."""
    return max(512, BLOCK_BYTES // (8 * max(columns, 1)))
