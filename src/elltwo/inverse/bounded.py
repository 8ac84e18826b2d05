"""Nonnegativity and bounds, with λ still chosen: by robust GCV whose traces are those of the free set.

At the solution the variables strictly inside their bounds solve an unconstrained problem in those
columns of A alone, so the fit's degrees of freedom are the trace of that smaller hat matrix, H_F;
one random probe q gives tr H_F ≈ qᵀH_F q and tr H_F² ≈ ‖H_F q‖².
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import optimize
from scipy.sparse.linalg import LinearOperator, cg

from elltwo.errors import InputError
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Curve, Selection
from elltwo.facts.solution import Solution
from elltwo.inverse.given import numbers
from elltwo.inverse.prepare import Prepared
from elltwo.inverse.rules import DECOMPOSED, SAMPLED

EXACT = 300  # unknowns up to which an active-set method is used
STEPS, POLISH, TRACE_STEPS = 60, 200, 40
FACTOR = 2.0  # ratio of consecutive α = λ² on the way down
UP, DOWN = 4, 14  # how many such steps above and at most below the unconstrained choice


@dataclass(frozen=True)
class Box:
    """Bounds (n,) each."""

    low: np.ndarray
    high: np.ndarray

    def project(self, x: np.ndarray) -> np.ndarray:
        """The nearest point inside."""
        return np.clip(x, self.low, self.high)


@dataclass(frozen=True)
class Point:
    """One bounded solution: x (n,), rss, df, square = tr H_F², penalty = ‖L(x − x0)‖²."""

    alpha: float
    x: np.ndarray
    rss: float
    df: float
    square: float
    penalty: float


def check_bounds(bounds: Any, n: int) -> Box:
    """Return the box, or refuse it.

    Raises
    ------
    InputError
        If bounds is not a pair, has a wrong shape, holds NaN, or is empty somewhere.
    """
    if not (isinstance(bounds, tuple | list) and len(bounds) == 2):
        raise InputError("bounds must be a pair (low, high); None stands for no bound")
    ends = [(-np.inf, np.inf)[k] if v is None else numbers(v, "bounds") for k, v in enumerate(bounds)]
    try:
        low, high = (np.broadcast_to(np.ravel(v) if np.ndim(v) else v, (n,)).astype(float) for v in ends)
    except ValueError:
        raise InputError(f"bounds must be numbers or vectors of length {n}") from None
    if np.isnan(low).any() or np.isnan(high).any() or (low > high).any():
        raise InputError("bounds must satisfy low <= high everywhere and hold no NaN")
    return Box(low, high)


def bounded(
    p: Prepared, r: Rotated, selection: Selection, bounds: Any, fixed: bool, seed: int
) -> tuple[Selection, Solution]:
    """Solve inside the bounds, for the λ asked for or the one that robust GCV on the free set chooses."""
    box = check_bounds(bounds, p.A.shape[1])
    problem = _Problem(p, 0, box, r, seed)
    picked = []
    for j in range(p.b.shape[1]):
        problem = _Problem(p, j, box, r, seed)
        start = float(selection.alpha[j])
        if not np.isfinite(start) or start <= 0:
            start = start if fixed else float(r.spectrum.s[0]) ** 2 * 1e-3
        points = [problem.solve(start, problem.start(), POLISH)] if fixed else problem.descend(start)
        scores = np.array(
            [problem.score(q, r.noise if selection.rule == "discrepancy" else None) for q in points]
        )
        picked.append((points, scores, int(np.argmin(scores))))
    solution = _solution(p, r, picked, problem)
    return _selection(selection, picked, solution, fixed), solution


class _Problem:
    """One target: products, gradients and the probe."""

    def __init__(self, p: Prepared, j: int, box: Box, r: Rotated, seed: int) -> None:
        self.p, self.box, self.j = p, box, j
        self.b = p.b[:, j]
        x0 = (
            np.zeros(p.A.shape[1])
            if p.x0 is None
            else p.x0.reshape(p.A.shape[1], -1)[:, min(j, p.x0.ndim - 1)]
        )
        self.x0 = x0
        self.norm2 = _largest(p.A, seed) ** 2
        self.penalty2 = 1.0 if p.L is None else _largest(p.L, seed) ** 2
        self.gamma = SAMPLED if r.spectrum.trace is not None and r.spectrum.trace.sampled else DECOMPOSED
        self.probe = np.random.default_rng(seed + 1).integers(0, 2, p.A.shape[0]) * 2.0 - 1.0

    @cached_property
    def _matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """A and L as arrays, for small problems."""
        L = np.eye(self.x0.size) if self.p.L is None else self.p.L.todense()
        return self.p.A.todense(), L

    def start(self) -> np.ndarray:
        return self.box.project(self.x0)

    def descend(self, unconstrained: float) -> list[Point]:
        """Solutions from above the unconstrained α downwards, each started from the last, until the score rises."""
        x, points = self.start(), []
        best, since = np.inf, 0
        for k in range(-UP, DOWN + 1):
            point = self.solve(unconstrained * FACTOR ** (-k), x, STEPS)
            points.append(point)
            x, score = point.x, self.score(point, None)
            best, since = (score, 0) if score < best else (best, since + 1)
            if since >= 3:
                break
        return points

    def solve(self, alpha: float, x: np.ndarray, steps: int) -> Point:
        x = self._exactly(alpha) if self.p.A.shape[1] <= EXACT else self._descent(alpha, x, steps)
        residual = self.b - self.p.A @ x
        df, square = self._traces(alpha, x)
        moved = x - self.x0
        seen = moved if self.p.L is None else self.p.L @ moved
        return Point(alpha, x, float(residual @ residual), df, square, float(seen @ seen))

    def score(self, point: Point, noise: float | None) -> float:
        """Robust GCV on the free set, or the discrepancy where the noise is known."""
        m = self.b.size
        if noise is not None:
            return abs(np.log(max(point.rss, 1e-300) / (m * noise**2)))
        left = m - point.df
        if left <= 0:
            return np.inf
        return (self.gamma + (1 - self.gamma) * point.square / m) * m * point.rss / left**2

    def _exactly(self, alpha: float) -> np.ndarray:
        """Bounded-variable least squares by active sets (Stark & Parker, Comput. Stat. 10 (1995) 129)."""
        A, L = self._matrices
        stack = np.vstack([A, np.sqrt(alpha) * L])
        right = np.concatenate([self.b, np.sqrt(alpha) * (L @ self.x0)])
        low, high = self.box.low, self.box.high
        high = np.where(low == high, np.nextafter(high, np.inf), high)  # bvls wants low < high
        return self.box.project(optimize.lsq_linear(stack, right, (low, high), method="bvls").x)

    def _descent(self, alpha: float, x: np.ndarray, steps: int) -> np.ndarray:
        """Accelerated projected gradients with restart.

        Beck & Teboulle, SIAM J. Imaging Sci. 2 (2009) 183; O'Donoghue & Candès, Found. Comput. Math. 15 (2015) 715.
        """
        length = 1 / (1.02 * (self.norm2 + alpha * self.penalty2))
        y, t = x, 1.0
        for _ in range(steps):
            new = self.box.project(y - length * self._gradient(y, alpha))
            if (y - new) @ (new - x) > 0:
                y, t = new, 1.0
            else:
                later = (1 + np.sqrt(1 + 4 * t * t)) / 2
                y, t = new + (t - 1) / later * (new - x), later
            x = new
        return x

    def _gradient(self, x: np.ndarray, alpha: float) -> np.ndarray:
        moved = x - self.x0
        pulled = moved if self.p.L is None else self.p.L.rmatvec(self.p.L.matvec(moved))
        return self.p.A.rmatvec(self.p.A.matvec(x) - self.b) + alpha * pulled

    def _traces(self, alpha: float, x: np.ndarray) -> tuple[float, float]:
        free = (x > self.box.low) & (x < self.box.high)
        if not free.any():
            return 0.0, 0.0
        if free.size <= EXACT:
            A, L = (M[:, free] for M in self._matrices)
            G = A.T @ A
            H = np.linalg.lstsq(G + alpha * L.T @ L, G, rcond=None)[0]  # similar to the hat matrix
            return float(np.trace(H)), float(np.sum(H * H.T))

        def normal(v: np.ndarray) -> np.ndarray:
            full = np.where(free, v.ravel(), 0.0)
            pulled = full if self.p.L is None else self.p.L.rmatvec(self.p.L.matvec(full))
            return np.where(free, self.p.A.rmatvec(self.p.A.matvec(full)) + alpha * pulled, v.ravel())

        n = free.size
        right = np.where(free, self.p.A.rmatvec(self.probe), 0.0)
        w, _ = cg(LinearOperator((n, n), normal, dtype=float), right, rtol=1e-4, maxiter=TRACE_STEPS)
        image = self.p.A.matvec(np.where(free, w, 0.0))
        return float(self.probe @ image), float(image @ image)


def _largest(A: Any, seed: int) -> float:
    """‖A‖ from below by twenty power steps; the caller adds a margin."""
    v = np.random.default_rng(seed).standard_normal(A.shape[1])
    size = 0.0
    for _ in range(20):
        v /= max(np.linalg.norm(v), np.finfo(float).tiny)
        v = A.rmatvec(A.matvec(v))
        size = float(np.linalg.norm(v))
    return float(np.sqrt(size))


def _solution(p: Prepared, r: Rotated, picked: list[Any], problem: _Problem) -> Solution:
    best = [points[i] for points, _, i in picked]
    rss, df = np.array([q.rss for q in best]), np.array([q.df for q in best])
    left = p.A.shape[0] - df
    return Solution(
        alpha=np.array([q.alpha for q in best]),
        coef=np.column_stack([q.x for q in best]),
        intercept=np.zeros(len(best)),
        df=df,
        norm=np.sqrt([q.penalty for q in best]),
        rss=rss,
        sigma2=np.where(left > 0, rss / np.where(left > 0, left, 1.0), np.nan),
        digits=16.0 if p.A.shape[1] <= EXACT else 3.0,
        notes=("inside bounds: degrees of freedom are those of the free set",),
    )


def _selection(selection: Selection, picked: list[Any], solution: Solution, fixed: bool) -> Selection:
    if fixed:
        return selection
    points, scores, _ = picked[0]
    order = np.argsort([q.alpha for q in points])
    alphas = np.array([points[k].alpha for k in order])
    rule = "discrepancy" if selection.rule == "discrepancy" else "rgcv"
    unit = "score on the free set"
    curves = {
        **selection.curves,
        f"{rule} bounded": Curve(f"{rule} bounded", alphas, scores[order][:, None], None, unit),
    }
    return replace(
        selection,
        rule=rule,
        alpha=solution.alpha,
        score=np.array([s[i] for _, s, i in picked]),
        curves=curves,
        edge="low" if picked[0][2] == len(points) - 1 else "",
        sentence=(
            f"λ = {np.sqrt(solution.alpha[0]):.4g} has the least {rule} score on the free set, "
            f"over {len(points)} strengths."
        ),
    )
