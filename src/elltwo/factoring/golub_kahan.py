"""Golub–Kahan bidiagonalization of an operator, A V = U B, in standard form, that can be taken further.

Golub & Kahan, SIAM J. Numer. Anal. B 2 (1965) 205; one-sided reorthogonalization after Simon & Zha,
SIAM J. Sci. Comput. 21 (2000) 2257.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

PASSES, KEPT = 3, 0.7  # of reorthogonalization at most; share of the length that makes one pass enough
BREAKDOWN = 1e-14  # of the largest coefficient so far: the Krylov space is exhausted


class Lift(Protocol):
    """x = P y + free part: from standard to original coordinates, and the adjoint of P."""

    def forward(self, y: np.ndarray) -> np.ndarray:
        """P y."""
        ...

    def adjoint(self, x: np.ndarray) -> np.ndarray:
        """Pᵀ x."""
        ...


@dataclass(frozen=True)
class OperatorForm:
    """Standard form of an operator problem: y ↦ (I − QQᵀ) A P y.

    Attributes
    ----------
    A : operator (m, n); lift : P, or None for the identity; size : length of y.
    Q : (m, q) orthonormal image of the free directions; T : (n, q) with A T = Q.
    """

    A: Any
    lift: Lift | None
    size: int
    Q: np.ndarray
    T: np.ndarray

    def times(self, y: np.ndarray) -> np.ndarray:
        """(m,) product with y (size,)."""
        out = self.A.matvec(y if self.lift is None else self.lift.forward(y))
        return out - self.Q @ (self.Q.T @ out) if self.Q.shape[1] else out

    def adjoint(self, u: np.ndarray) -> np.ndarray:
        """(size,) adjoint product with u (m,)."""
        u = u - self.Q @ (self.Q.T @ u) if self.Q.shape[1] else u
        out = self.A.rmatvec(u)
        return out if self.lift is None else self.lift.adjoint(out)

    def coefficients(self, y: np.ndarray) -> np.ndarray:
        """(n, t) x = P y − T Qᵀ A P y of standard coordinates y (size, t)."""
        x = y if self.lift is None else np.column_stack([self.lift.forward(c) for c in y.T])
        if not self.Q.shape[1]:
            return x
        images = np.column_stack([self.A.matvec(c) for c in x.T])
        return x - self.T @ (self.Q.T @ images)


class GolubKahan:
    """A bidiagonalization that can be taken further.

    Attributes
    ----------
    start : float
        Length β₁ of the starting vector.
    alphas, betas : list of float
        Diagonal α₁ … αₖ and subdiagonal β₂ … βₖ₊₁ of B.
    finished : bool
        The Krylov space is exhausted: more steps add nothing.
    """

    def __init__(self, form: OperatorForm, start: np.ndarray, keep_vectors: bool, capacity: int) -> None:
        self.form, self.keep_vectors = form, keep_vectors
        self.alphas: list[float] = []
        self.betas: list[float] = []
        self._vectors = np.empty((min(capacity, form.size) if keep_vectors else 0, form.size))
        self.start = float(np.linalg.norm(start))
        self.finished = self.start == 0
        self._u = start / self.start if self.start else start
        self._v = np.zeros(form.size)
        if not self.finished:
            self._next_right(0.0)

    def extend(self, steps: int) -> None:
        """Take more steps, each one product with A and one with Aᵀ."""
        for _ in range(steps):
            if self.finished or len(self.betas) >= min(self.form.size, self.form.A.shape[0]):
                self.finished = True
                return
            w = self.form.times(self._v)
            w -= self.alphas[-1] * self._u
            beta = float(np.linalg.norm(w))
            self.betas.append(beta)
            if beta <= BREAKDOWN * self._largest():
                self.finished = True
                return
            w /= beta
            self._u = w
            self._next_right(beta)

    def _next_right(self, beta: float) -> None:
        w = self.form.adjoint(self._u)
        if beta:
            w = w - beta * self._v
        k = len(self.alphas)
        if self.keep_vectors and k:
            _orthogonalize(w, self._vectors[:k])
        alpha = float(np.linalg.norm(w))
        if alpha <= BREAKDOWN * max(self._largest(), np.finfo(float).tiny):
            self.finished = True
            return
        w /= alpha
        if self.keep_vectors:
            if k == self._vectors.shape[0]:
                self._vectors = np.vstack([self._vectors, np.empty((max(k, 8), self.form.size))])
            self._vectors[k] = w
        self.alphas.append(alpha)
        self._v = w

    def _largest(self) -> float:
        return max(self.alphas, default=0.0)

    @property
    def vectors(self) -> np.ndarray:
        """(k, size) right vectors as rows, for as many columns as B has."""
        return self._vectors[: self.bidiagonal.shape[1]]

    @property
    def bidiagonal(self) -> np.ndarray:
        """(k + 1, k) lower bidiagonal B."""
        k = len(self.betas)
        B = np.zeros((k + 1, k))
        B[np.arange(k), np.arange(k)] = self.alphas[:k]
        B[np.arange(1, k + 1), np.arange(k)] = self.betas
        return B

    @property
    def next_alpha(self) -> float:
        """αₖ₊₁, or 0 when the space is exhausted."""
        return self.alphas[len(self.betas)] if len(self.alphas) > len(self.betas) else 0.0


def _orthogonalize(w: np.ndarray, V: np.ndarray) -> None:
    """Take the rows of V (k, size) out of w in place, twice where little is left of it.

    One pass leaves errors of eps‖w‖, which are all there is of a short remainder: repeated, they grow
    without bound on severely ill-posed problems. Giraud, Langou & Rozložník, Numer. Math. 101 (2005) 87.
    """
    for _ in range(PASSES):
        before = float(np.linalg.norm(w))
        w -= (V @ w) @ V
        if float(np.linalg.norm(w)) > KEPT * before:
            return
