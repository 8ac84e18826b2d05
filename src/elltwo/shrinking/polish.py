"""The last digits of an SVD's solution: refinement of the augmented system with extended residuals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import DenseRows

GOOD = 15.0  # estimated digits that need no polish; a large residual can cost two of them
SMALL = 1_000_000  # entries of A up to which an extended copy costs nothing that matters
STEPS = 6
EXTENDED = np.longdouble  # 64-bit mantissa on x86; where it is plain double, polishing is merely idle


def polish(problem: Problem, r: Rotated, solution: Solution) -> Solution:
    """Refine x and the residual ρ together, their equations evaluated in extended precision.

    ρ + Ãx = b̃ and Ãᵀρ = λD²(x − x0), with Ã = √w(A − m): corrections come from the SVD at hand, and
    leave an error of about eps in x however ill-conditioned Ã is, as long as eps·√κ < 1.
    Returns the solution unchanged where it does not apply (sparse, general L, truncated at λ = 0) or not contract.

    Source: Björck, BIT 7 (1967) 257; Demmel, Hida, Riedy & Li, ACM TOMS 35 (2009) 28.
    """
    if not _applies(problem, r, solution):
        return solution
    system = _extended(problem, r, solution)
    x = solution.coef.astype(EXTENDED)
    rho, size = system.b - system.A @ x, np.inf
    for _ in range(STEPS):
        dx, drho = system.correction(x, rho)
        now = float(np.max(np.abs(dx), initial=0.0)) / max(float(np.max(np.abs(x), initial=0.0)), 1e-300)
        if not now < 0.5 * size:
            break
        x, rho, size = x + dx, rho + drho, now
        if now < 1e-18:
            break
    if not size < 1e-8:
        return solution
    digits = float(np.clip(-np.log10(max(size, 1e-16)), solution.digits, 15.0))
    intercept = (system.mean_b - system.mean @ x) if problem.intercept else np.zeros(x.shape[1])
    notes = (*solution.notes, "polished with residuals in extended precision")
    return replace(
        solution, coef=x.astype(float), intercept=intercept.astype(float), digits=digits, notes=notes
    )


def _applies(problem: Problem, r: Rotated, solution: Solution) -> bool:
    dense = (
        isinstance(problem.A, np.ndarray)
        and problem.A.size <= SMALL
        and isinstance(r.spectrum.rows, DenseRows)
    )
    penalised = r.spectrum.free.T.shape[1] == 0 and bool(np.all(solution.alpha > 0))
    simple = problem.penalty.operator is None and (penalised or not r.spectrum.dropped)
    finite = bool(np.all(np.isfinite(solution.alpha)))
    return dense and simple and finite and solution.digits < GOOD and not r.spectrum.origin.squared


@dataclass(frozen=True)
class _Extended:
    """The centred, weighted system in extended precision.

    A : (n, p); b : (n, t); mean : (p,); mean_b : (t,); scale2 : (p, 1) squared diagonal of L; x0 : (p, 1 or t).
    """

    A: np.ndarray
    b: np.ndarray
    mean: np.ndarray
    mean_b: np.ndarray
    scale2: np.ndarray
    x0: np.ndarray
    alpha: np.ndarray
    rotated: Rotated

    def correction(self, x: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dx and dρ from the equations' defects f and h: (ÃᵀÃ + λD²)dx = Ãᵀf − h, dρ = f − Ã dx."""
        f = self.b - rho - self.A @ x
        h = (self.alpha * self.scale2 * (x - self.x0) - self.A.T @ rho).astype(float)
        s = self.rotated.spectrum
        assert isinstance(s.rows, DenseRows)
        g, V, T = f.astype(float), s.map.toarray(), s.free.T
        y = (s.s[:, None] * (s.rows.U.T @ g) - V.T @ h) / (s.s[:, None] ** 2 + self.alpha.astype(float))
        dx = V @ y + T @ (s.rows.Q.T @ g - T.T @ h) + self._outside(V, h)
        return dx, f - self.A @ dx.astype(EXTENDED)

    def _outside(self, V: np.ndarray, h: np.ndarray) -> np.ndarray | float:
        """What lies outside the kept directions (wide or truncated designs) sees λD² alone: −h⊥/(λD²)."""
        alpha, scale2 = self.alpha.astype(float), self.scale2.astype(float)
        if V.shape[1] == V.shape[0] or not np.all(alpha > 0) or not np.all(scale2 > 0):
            return 0.0
        return -(h / scale2 - V @ (V.T @ h)) / alpha


def _extended(problem: Problem, r: Rotated, solution: Solution) -> _Extended:
    A, b = problem.A.astype(EXTENDED), problem.b.astype(EXTENDED)
    p = A.shape[1]
    x0 = np.zeros((p, 1)) if problem.penalty.x0 is None else problem.penalty.x0.reshape(p, -1)
    scale = np.ones(p) if r.spectrum.scale is None else r.spectrum.scale
    mean, mean_b = np.zeros(p, EXTENDED), np.zeros(b.shape[1], EXTENDED)
    if problem.intercept:
        w = np.full(len(b), EXTENDED(1)) if problem.weights is None else problem.weights.astype(EXTENDED)
        mean, mean_b = w @ A / w.sum(), w @ b / w.sum()
        A, b = A - mean, b - mean_b
    if problem.weights is not None:
        root = np.sqrt(problem.weights.astype(EXTENDED))[:, None]
        A, b = A * root, b * root
    alpha = solution.alpha.astype(EXTENDED)
    return _Extended(A, b, mean, mean_b, scale[:, None].astype(EXTENDED) ** 2, x0.astype(EXTENDED), alpha, r)
