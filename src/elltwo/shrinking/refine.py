"""Iterative refinement: the Gram route's solution, corrected with residuals on the rows themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import block_rows
from elltwo.shrinking.path import intercepts

ENOUGH = 11.0  # digits beyond which refinement buys nothing a person would see
STEPS = 8
CONTRACTION = 0.5
HOPELESS = 1e-6


def refine(problem: Problem, r: Rotated, solution: Solution) -> Solution | None:
    """Björck's refinement of ridge coefficients: dx = M⁻¹(Aᵀ W (b − Ax) − λD²(x − x0)), residuals on the rows.

    M⁻¹ acts through the spectrum: V (s² + λ)⁻¹ Vᵀ on kept directions, the free block, and 1/λ on what
    truncation dropped. Steps go on while they at least halve the correction; the last one tells how
    many digits stand. Returns None when six are not reached, the cue for an SVD.

    Source: Björck, BIT 7 (1967) 257; Carson & Higham, SIAM J. Sci. Comput. 40 (2018) A817.
    """
    system = _system(problem, r, solution.alpha)
    x, previous = solution.coef, np.inf
    for _ in range(STEPS):
        dx = system.correction(x)
        size = _relative(dx, x)
        if not size < CONTRACTION * previous:
            break
        x, previous = x + dx, size
        if size < 1e-15:
            break
    if not previous < HOPELESS:
        return None
    digits = float(np.clip(-np.log10(max(previous * CONTRACTION, 1e-16)), 0.0, 15.0))
    notes = (*solution.notes, "refined with residuals on the rows")
    return replace(solution, coef=x, intercept=intercepts(r, x), digits=digits, notes=notes)


def _relative(dx: np.ndarray, x: np.ndarray) -> float:
    return float(np.max(np.abs(dx), initial=0.0)) / max(float(np.max(np.abs(x), initial=0.0)), 1e-300)


@dataclass(frozen=True)
class _System:
    """What every step needs: centred targets, penalty and the map back.

    b : (n, t) b − b̄; alpha : (t,); scale : (p,) diagonal of L; x0 : (p, 1 or t); V : (p, k).
    """

    problem: Problem
    rotated: Rotated
    b: np.ndarray
    alpha: np.ndarray
    scale: np.ndarray
    x0: np.ndarray
    V: np.ndarray

    def correction(self, x: np.ndarray) -> np.ndarray:
        gradient = self._gradient(x) - self.alpha * self.scale[:, None] ** 2 * (x - self.x0)
        s, T = self.rotated.spectrum.s, self.rotated.spectrum.free.T
        inside = self.V.T @ gradient
        dx = self.V @ (inside / (s[:, None] ** 2 + self.alpha)) + T @ (T.T @ gradient)
        if self.rotated.spectrum.dropped and not T.shape[1] and self._invertible:
            outside = gradient / self.scale[:, None] - self.scale[:, None] * (self.V @ inside)
            dx = dx + outside / self.scale[:, None] / self.alpha
        return dx

    @property
    def _invertible(self) -> bool:
        return bool(np.all(self.scale > 0) and np.all(self.alpha > 0))

    def _gradient(self, x: np.ndarray) -> np.ndarray:
        """(p, t) (A − m)ᵀ W (b − b̄ − (A − m)x), in blocks centred before anything is multiplied."""
        A, w, mean = self.problem.A, self.problem.weights, self.rotated.spectrum.free.mean
        total = np.zeros_like(x)
        step = A.shape[0] if sparse.issparse(A) else block_rows(A.shape[1])
        for start in range(0, A.shape[0], step):
            rows = slice(start, min(start + step, A.shape[0]))
            if sparse.issparse(A):
                residual = self.b[rows] - (np.asarray(A[rows] @ x) - mean @ x)
            else:
                block = A[rows] - mean
                residual = self.b[rows] - block @ x
            residual = residual if w is None else residual * w[rows, None]
            if sparse.issparse(A):
                total += np.asarray(A[rows].T @ residual) - np.outer(mean, residual.sum(axis=0))
            else:
                total += block.T @ residual
        return total


def _system(problem: Problem, r: Rotated, alpha: np.ndarray) -> _System:
    p = problem.A.shape[1]
    scale = np.ones(p) if r.spectrum.scale is None else r.spectrum.scale
    x0 = np.zeros((p, 1)) if problem.penalty.x0 is None else problem.penalty.x0.reshape(p, -1)
    mean = np.average(problem.b, axis=0, weights=problem.weights) if problem.intercept else 0.0
    return _System(problem, r, problem.b - mean, alpha, scale, x0, r.spectrum.map.toarray())
