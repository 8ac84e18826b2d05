"""Iterative refinement: the Gram route's solution, corrected with residuals on the rows themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.solution import Solution

ENOUGH = 11.0  # digits beyond which refinement buys nothing a person would see
STEPS = 6
CONTRACTION = 0.1


def refine(problem: Problem, r: Rotated, solution: Solution) -> Solution | None:
    """Björck's refinement of ridge coefficients: dx = M⁻¹(Aᵀ W (b − Ax) − λD²x), residuals on the rows.

    M⁻¹ acts through the spectrum: V (s² + λ)⁻¹ Vᵀ on kept directions, the free block, and 1/λ on what
    truncation dropped. Returns None when the corrections do not contract by ten each step, the cue
    for an SVD; otherwise the solution with the digits that the last correction proves.

    Source: Björck, BIT 7 (1967) 257; Carson & Higham, SIAM J. Sci. Comput. 40 (2018) A817.
    """
    scale = np.ones(problem.A.shape[1]) if r.spectrum.scale is None else r.spectrum.scale
    x, g = solution.coef.copy(), solution.intercept.copy()
    previous = np.inf
    for _ in range(STEPS):
        dx, dg = _correction(problem, r, x, g, solution.alpha, scale)
        size = float(np.max(np.abs(dx), initial=0.0)) / max(float(np.max(np.abs(x), initial=0.0)), 1e-300)
        if not size < CONTRACTION * previous and size > 1e-14:
            return None if size > 1e-12 else _done(solution, x, g, size)
        x, g, previous = x + dx, g + dg, size
        if size < 1e-14:
            break
    return _done(solution, x, g, previous)


def _done(solution: Solution, x: np.ndarray, g: np.ndarray, size: float) -> Solution:
    digits = float(np.clip(-np.log10(max(size, 1e-16)), 0.0, 15.0))
    note = "refined with residuals on the rows"
    return replace(solution, coef=x, intercept=g, digits=digits, notes=(*solution.notes, note))


def _correction(
    problem: Problem, r: Rotated, x: np.ndarray, g: np.ndarray, alpha: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    spectrum, w = r.spectrum, problem.weights
    residual = problem.b - g - np.asarray(problem.A @ x)
    dg = np.zeros_like(g)
    if problem.intercept:
        dg = np.average(residual, axis=0, weights=w)
        residual = residual - dg
    weighted = residual if w is None else residual * w[:, None]
    x0 = 0.0 if problem.penalty.x0 is None else problem.penalty.x0.reshape(x.shape[0], -1)
    gradient = np.asarray(problem.A.T @ weighted) - alpha * scale[:, None] ** 2 * (x - x0)
    dx = _inverse(r, gradient, alpha, scale)
    return dx, dg - spectrum.free.mean @ dx if problem.intercept else dg


def _inverse(r: Rotated, gradient: np.ndarray, alpha: np.ndarray, scale: np.ndarray) -> np.ndarray:
    s, V, T = r.spectrum.s, r.spectrum.map.toarray(), r.spectrum.free.T
    inside = V.T @ gradient
    dx = V @ (inside / (s[:, None] ** 2 + alpha)) + T @ (T.T @ gradient)
    if r.spectrum.dropped and not T.shape[1] and np.all(scale > 0) and np.all(alpha > 0):
        outside = gradient / scale[:, None] - scale[:, None] * (V @ inside)
        dx = dx + outside / scale[:, None] / alpha
    return dx
