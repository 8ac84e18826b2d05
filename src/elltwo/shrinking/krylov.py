"""Ridge for designs too large to factor: preconditioned conjugate gradients on the centred normal equations.

The system for each λ is (Aᶜᵀ W Aᶜ + λD²)x = Aᶜᵀ W b with Aᶜ = A − 1mᵀ never formed. The
preconditioner is its diagonal; each λ starts from the solutions of the stronger ones, extrapolated
along log λ, which leaves a few iterations per λ.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from elltwo.errors import AccuracyWarning
from elltwo.shrinking.path import check_alphas

MOST = 5000  # iterations per strength


@dataclass(frozen=True)
class KrylovPath:
    """Solutions over λ and what they cost.

    Attributes
    ----------
    alphas : (L,) as asked.
    coef : (L, p, t). intercept : (L, t).
    residual : (L, t) ‖gradient‖/‖Aᶜᵀ W b‖ reached.
    steps : (L,) products with AᶜᵀAᶜ that each λ took, over all targets.
    """

    alphas: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    residual: np.ndarray
    steps: np.ndarray

    @property
    def iterations(self) -> int:
        """Products with AᶜᵀAᶜ in all."""
        return int(self.steps.sum())


@dataclass(frozen=True)
class NormalEquations:
    """Aᶜᵀ W Aᶜ as a product, its diagonal, and Aᶜᵀ W b.

    mean : (p,); weights : (n,) or None; diagonal : (p,).
    """

    A: Any
    transposed: Any
    weights: np.ndarray | None
    mean: np.ndarray
    diagonal: np.ndarray

    def forward(self, x: np.ndarray) -> np.ndarray:
        """(n,) Aᶜ x."""
        return np.asarray(self.A @ x) - self.mean @ x

    def adjoint(self, r: np.ndarray) -> np.ndarray:
        """(p,) Aᶜᵀ W r."""
        r = r if self.weights is None else self.weights * r
        return np.asarray(self.transposed @ r) - self.mean * r.sum()

    def product(self, x: np.ndarray) -> np.ndarray:
        """(p,) Aᶜᵀ W Aᶜ x."""
        return self.adjoint(self.forward(x))


def normal_equations(A: Any, weights: np.ndarray | None, intercept: bool) -> NormalEquations:
    """Means and diagonal of the centred normal equations, in two passes over A."""
    n = A.shape[0]
    w = np.ones(n) if weights is None else weights
    A = A.tocsr() if sparse.issparse(A) else np.asarray(A)
    transposed = A.T.tocsr() if sparse.issparse(A) else A.T  # rows of Aᵀ are then contiguous too
    first = np.asarray(transposed @ w)
    mean = first / w.sum() if intercept else np.zeros(A.shape[1])
    square = transposed.multiply(transposed) if sparse.issparse(A) else transposed**2
    diagonal = np.asarray(square @ w) - (w.sum() * mean**2 if intercept else 0.0)
    return NormalEquations(A, transposed, weights, mean, np.maximum(diagonal, 0.0))


def pcg_path(
    A: Any,
    b: np.ndarray,
    alphas: np.ndarray,
    weights: np.ndarray | None = None,
    intercept: bool = True,
    tol: float = 1e-6,
    equations: NormalEquations | None = None,
) -> KrylovPath:
    """Ridge solutions for every λ > 0 (L,) and target of b (n, t).

    minimise Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖x‖².

    Stops where the gradient is ``tol`` times that at zero. Hestenes & Stiefel (1952); the diagonal
    preconditioner van der Sluis, Numer. Math. 14 (1969) 14.
    """
    a = check_alphas(alphas)
    e = normal_equations(A, weights, intercept) if equations is None else equations
    order = np.argsort(a)[::-1]
    coef = np.empty((a.size, e.mean.size, b.shape[1]))
    residual, steps = np.empty((a.size, b.shape[1])), np.zeros(a.size, dtype=int)
    mean = np.average(b, axis=0, weights=weights) if intercept else np.zeros(b.shape[1])
    for j in range(b.shape[1]):
        right = e.adjoint(b[:, j] - mean[j])
        past: list[tuple[float, np.ndarray]] = []
        for i in order:
            solved = _solve(e, right, float(a[i]), _extrapolated(past, float(a[i]), e.mean.size), tol)
            coef[i, :, j], residual[i, j] = solved.x, solved.residual
            steps[i] += solved.iterations
            past = [*past, (float(np.log(a[i])), solved.x)][-3:]
    _warn_unless(residual, tol)
    return KrylovPath(a, coef, mean - np.einsum("p,lpt->lt", e.mean, coef), residual, steps)


@dataclass(frozen=True)
class _Solved:
    x: np.ndarray
    residual: float
    iterations: int


def _solve(e: NormalEquations, right: np.ndarray, alpha: float, start: np.ndarray, tol: float) -> _Solved:
    """Conjugate gradients preconditioned by diag(AᶜᵀWAᶜ) + λ."""
    precondition = 1.0 / (e.diagonal + alpha)
    scale = float(np.linalg.norm(right))
    if scale == 0:
        return _Solved(np.zeros_like(right), 0.0, 0)
    x = start.copy()
    r = right - e.product(x) - alpha * x if x.any() else right.copy()
    y = precondition * r
    p, rho = y.copy(), float(r @ y)
    size, steps = float(np.linalg.norm(r)) / scale, int(x.any())
    while size > tol and steps < MOST:
        q = e.product(p) + alpha * p
        step = rho / float(p @ q)
        x += step * p
        r -= step * q
        y = precondition * r
        fresh = float(r @ y)
        p *= fresh / rho
        p += y
        rho, size, steps = fresh, float(np.linalg.norm(r)) / scale, steps + 1
    return _Solved(x, size, steps)


def _extrapolated(past: list[tuple[float, np.ndarray]], alpha: float, p: int) -> np.ndarray:
    """The polynomial in log λ through up to three earlier solutions, evaluated at the next λ (Lagrange)."""
    if not past:
        return np.zeros(p)
    u, out = float(np.log(alpha)), np.zeros(p)
    for i, (ui, x) in enumerate(past):
        weight = 1.0
        for k, (uk, _) in enumerate(past):
            if k != i:
                weight *= (u - uk) / (ui - uk)
        out += weight * x
    return out


def _warn_unless(residual: np.ndarray, tol: float) -> None:
    worst = float(residual.max(initial=0.0))
    if worst > tol:
        warnings.warn(
            f"conjugate gradients stopped at a relative residual of {worst:.1e}, not {tol:.0e}: "
            "use a larger strength or scale the columns",
            AccuracyWarning,
            stacklevel=3,
        )
