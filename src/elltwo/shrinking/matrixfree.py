"""Solutions at given λ without a spectrum: Cholesky, conjugate gradients, LSQR on an implicitly centred design.

All of them minimise Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖D(x − x0)‖² with D diagonal; sparse designs are never
densified. They answer for one λ at a time, so nothing that needs a spectrum can be read off afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg

from elltwo.errors import UsageError
from elltwo.factoring.centre import centre_targets, spread
from elltwo.factoring.rotate import without_prior
from elltwo.facts.problem import Problem
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import block_rows
from elltwo.tables.moments.dense import about, choose_shift, design_moments


@dataclass(frozen=True)
class Centred:
    """√w(A − m) as something that multiplies, and the targets that go with it.

    Attributes
    ----------
    A : (n, p) array or sparse, as given.
    mean : (p,) weighted means, zeros without an intercept.
    root : (n,) √w, ones without weights.
    b : (n, t) √w(b − A x0 − mean).
    mean_b : (t,).
    scale : (p,) diagonal of L, standardization included.
    """

    A: Any
    mean: np.ndarray
    root: np.ndarray
    b: np.ndarray
    mean_b: np.ndarray
    scale: np.ndarray

    def multiply(self, v: np.ndarray) -> np.ndarray:
        """√w(A − m) v."""
        return self.root * (np.asarray(self.A @ v) - self.mean @ v)

    def transpose(self, u: np.ndarray) -> np.ndarray:
        """(A − m)ᵀ√w u."""
        u = self.root * u
        return np.asarray(self.A.T @ u) - self.mean * u.sum()


@dataclass(frozen=True)
class Iterated:
    """A Solution and the iterations it took, one count per target, or None for a direct method.

    ``reached`` says whether every target met the tolerance.
    """

    solution: Solution
    n_iter: np.ndarray | None
    reached: bool = True


def centred_design(problem: Problem) -> Centred:
    """Means, roots of weights and scales of a problem whose L is diagonal.

    Raises
    ------
    UsageError : L is a matrix.
    """
    if problem.penalty.operator is not None:
        raise UsageError("this solver takes a strength per column but no penalty matrix: use solver='auto'")
    A, w = problem.A, problem.weights
    n, p = A.shape
    inner = without_prior(problem)
    b, mean_b = centre_targets(inner.b, w, problem.intercept)
    mean = column_means(A, w) if problem.intercept else np.zeros(p)
    scale = np.ones(p) if problem.penalty.scale is None else np.asarray(problem.penalty.scale, dtype=float)
    if problem.penalty.standardize:
        scale = scale * column_spread(A, w, mean)
    return Centred(A, mean, np.ones(n) if w is None else np.sqrt(w), b, mean_b, scale)


def column_means(A: Any, weights: np.ndarray | None) -> np.ndarray:
    """(p,) weighted means."""
    w = np.full(A.shape[0], 1.0 / A.shape[0]) if weights is None else weights / weights.sum()
    return np.asarray(A.T @ w).ravel()


def column_spread(A: Any, weights: np.ndarray | None, mean: np.ndarray) -> np.ndarray:
    """(p,) population standard deviations about ``mean``, in blocks of rows; 0 for constant columns."""
    w = np.ones(A.shape[0]) if weights is None else weights
    if sparse.issparse(A):
        squares = np.asarray(A.multiply(A).T @ w).ravel()
        square = np.maximum(squares - 2 * mean * np.asarray(A.T @ w).ravel() + w.sum() * mean**2, 0.0)
    else:
        square = np.zeros(A.shape[1])
        step = block_rows(A.shape[1])
        for start in range(0, A.shape[0], step):
            rows = slice(start, start + step)
            square += w[rows] @ (A[rows] - mean) ** 2
    return spread(square, float(w.sum()), mean)


def finish(problem: Problem, c: Centred, alpha: np.ndarray, moved: np.ndarray, digits: float) -> Solution:
    """The Solution whose coefficients are x0 + moved (p, t); degrees of freedom are not known (nan)."""
    residual = np.column_stack([c.b[:, j] - c.multiply(moved[:, j]) for j in range(moved.shape[1])])
    x0 = problem.penalty.x0
    coef = moved if x0 is None else moved + x0.reshape(x0.shape[0], -1)
    unknown = np.full(moved.shape[1], np.nan)
    return Solution(
        alpha=alpha.copy(),
        coef=coef,
        intercept=c.mean_b - c.mean @ moved if problem.intercept else np.zeros(moved.shape[1]),
        df=unknown,
        norm=np.sqrt(np.sum((c.scale[:, None] * moved) ** 2, axis=0)),
        rss=np.einsum("ij,ij->j", residual, residual),
        sigma2=unknown,
        digits=digits,
    )


def solve_cholesky(problem: Problem, alpha: np.ndarray) -> Iterated:
    """Normal equations (G + λD²)x = c, or for n < p with D = I the kernel's (K + λ)u = b, by Cholesky.

    Raises
    ------
    numpy.linalg.LinAlgError : the matrix is not positive definite; an SVD is then the way.
    """
    c = centred_design(problem)
    wide = problem.A.shape[0] < problem.A.shape[1] and bool(np.all(c.scale > 0))
    moved = _kernel_cholesky(c, alpha) if wide else _gram_cholesky(problem, c, alpha)
    return Iterated(finish(problem, c, alpha, moved, np.nan), None)


def _gram_cholesky(problem: Problem, c: Centred, alpha: np.ndarray) -> np.ndarray:
    inner = without_prior(problem)
    [m] = design_moments(problem.A, inner.b, problem.weights, shift=choose_shift(problem.A))
    zeros = np.zeros_like(m.shift_x), np.zeros_like(m.shift_y)
    m = about(m, *((m.mean_x, m.mean_y) if problem.intercept else zeros))
    moved = np.empty_like(m.xy)
    for value in np.unique(alpha):
        which = alpha == value
        moved[:, which] = _definite(m.xx + np.diag(value * c.scale**2), m.xy[:, which])
    return moved


def _kernel_cholesky(c: Centred, alpha: np.ndarray) -> np.ndarray:
    scaled = c.A @ sparse.diags_array(1.0 / c.scale) if sparse.issparse(c.A) else (c.A - c.mean) / c.scale
    K = scaled @ scaled.T
    if sparse.issparse(scaled):
        m = np.asarray(scaled @ (c.mean / c.scale))
        K = K.toarray() - m[:, None] - m[None, :] + np.sum((c.mean / c.scale) ** 2)
    K = K * np.outer(c.root, c.root)
    u = np.empty_like(c.b)
    for value in np.unique(alpha):
        which = alpha == value
        u[:, which] = _definite(K + value * np.eye(K.shape[0]), c.b[:, which])
    lifted = np.column_stack([c.transpose(u[:, j]) for j in range(u.shape[1])])
    return lifted / c.scale[:, None] ** 2


def _definite(M: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with a Cholesky factor, refusing matrices that are singular to working precision."""
    factor = linalg.cho_factor(M, lower=True, check_finite=False)
    diagonal = np.abs(np.diagonal(factor[0]))
    if diagonal.min(initial=np.inf) ** 2 <= M.shape[0] * np.finfo(float).eps * diagonal.max(initial=0.0) ** 2:
        raise np.linalg.LinAlgError("singular to working precision")
    return linalg.cho_solve(factor, right, check_finite=False)


def solve_cg(problem: Problem, alpha: np.ndarray, tol: float, max_iter: int | None) -> Iterated:
    """Conjugate gradients on (AᵀA + λD²)x = Aᵀb, preconditioned by its diagonal; for n < p on the kernel's side.

    Stops when the residual is ``tol`` times the right-hand side. Hestenes & Stiefel, J. Res. NBS 49 (1952) 409.
    """
    c = centred_design(problem)
    n, p = problem.A.shape
    wide = n < p and bool(np.all(c.scale > 0))
    step = _cg_kernel if wide else _cg_normal
    results = [step(c, j, float(alpha[j]), tol, max_iter) for j in range(c.b.shape[1])]
    moved = np.column_stack([r[0] for r in results])
    return Iterated(
        finish(problem, c, alpha, moved, -np.log10(max(tol, 1e-16))),
        np.array([r[1] for r in results]),
        all(r[2] for r in results),
    )


def _cg_normal(
    c: Centred, j: int, alpha: float, tol: float, most: int | None
) -> tuple[np.ndarray, int, bool]:
    size = c.mean.size
    diagonal = column_spread(c.A, c.root**2, c.mean) ** 2 * np.sum(c.root**2) + alpha * c.scale**2
    inverse = np.divide(1.0, diagonal, out=np.ones_like(diagonal), where=diagonal > 0)

    def product(v: np.ndarray) -> np.ndarray:
        return c.transpose(c.multiply(v.ravel())) + alpha * c.scale**2 * v.ravel()

    M = sparse_linalg.LinearOperator((size, size), matvec=lambda v: inverse * v.ravel(), dtype=float)
    return _cg(product, c.transpose(c.b[:, j]), tol, most, M)


def _cg_kernel(
    c: Centred, j: int, alpha: float, tol: float, most: int | None
) -> tuple[np.ndarray, int, bool]:
    def product(u: np.ndarray) -> np.ndarray:
        return c.multiply(c.transpose(u.ravel()) / c.scale**2) + alpha * u.ravel()

    u, count, reached = _cg(product, c.b[:, j], tol, most, None)
    return c.transpose(u) / c.scale**2, count, reached


def _cg(  # type: ignore[no-untyped-def]  # SciPy's operators are untyped
    product, right: np.ndarray, tol: float, most: int | None, M
) -> tuple[np.ndarray, int, bool]:
    count, last = 0, np.zeros_like(right)

    def tick(x: np.ndarray) -> None:
        nonlocal count, last
        count, last = count + 1, x.copy() if np.all(np.isfinite(x)) else last

    operator = sparse_linalg.LinearOperator((right.size, right.size), matvec=product, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 where tol = 0 asks for more than there is
        x, info = sparse_linalg.cg(operator, right, rtol=tol, atol=0.0, maxiter=most, M=M, callback=tick)
    return (x, count, info == 0) if np.all(np.isfinite(x)) else (last, count, False)


def solve_lsqr(problem: Problem, alpha: np.ndarray, tol: float, max_iter: int | None) -> Iterated:
    """LSQR on [√w(A − m); √λ D]. Paige & Saunders, ACM TOMS 8 (1982) 43; SciPy's, with atol = btol = tol."""
    c = centred_design(problem)
    n, p = problem.A.shape
    moved, counts, reached = np.empty((p, c.b.shape[1])), [], True
    for j in range(c.b.shape[1]):
        root = np.sqrt(float(alpha[j])) * c.scale

        def forward(v: np.ndarray, root: np.ndarray = root) -> np.ndarray:
            return np.concatenate([c.multiply(v.ravel()), root * v.ravel()])

        def backward(u: np.ndarray, root: np.ndarray = root) -> np.ndarray:
            return c.transpose(u.ravel()[:n]) + root * u.ravel()[n:]

        operator = sparse_linalg.LinearOperator((n + p, p), matvec=forward, rmatvec=backward, dtype=float)
        right = np.concatenate([c.b[:, j], np.zeros(p)])
        out = sparse_linalg.lsqr(operator, right, atol=tol, btol=tol, iter_lim=max_iter)
        moved[:, j], reached = out[0], reached and out[1] != 7
        counts.append(out[2])
    solution = finish(problem, c, alpha, moved, -np.log10(max(tol, 1e-16)))
    return Iterated(solution, np.array(counts, dtype=np.int32), reached)
