"""λ for designs too large to factor: GCV with a probed trace, and K-fold by warm-started solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.facts.selection import Curve
from elltwo.shrinking.krylov import KrylovPath, normal_equations, pcg_path


@dataclass(frozen=True)
class LargeScore:
    """A curve over λ, the solutions it was read from, and for GCV the degrees of freedom.

    df, df_error : (L,) estimate and its standard error over probes; the error is None for a single probe.
    """

    curve: Curve
    path: KrylovPath
    df: np.ndarray | None = None
    df_error: np.ndarray | None = None


def stochastic_gcv(
    A: Any,
    b: np.ndarray,
    alphas: np.ndarray,
    weights: np.ndarray | None = None,
    intercept: bool = True,
    probes: int = 4,
    tol: float = 1e-6,
    seed: int = 0,
) -> LargeScore:
    """n·rss/(n − df)² with df = free + E[εᵀHε] over Rademacher probes ε.

    Hutchinson, Commun. Stat. Simul. 19 (1990) 433; Golub & von Matt, J. Comput. Graph. Stat. 6 (1997) 1.
    One probe's relative error in df is about √(2 Σf²)/Σf, small when df is large.
    """
    a = np.sort(np.asarray(alphas, dtype=float))
    e = normal_equations(A, weights, intercept)
    n = A.shape[0]
    root = np.ones(n) if weights is None else np.sqrt(weights)
    noise = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n, probes))
    divided = np.divide(noise, root[:, None], out=np.zeros_like(noise), where=root[:, None] > 0)
    solved = pcg_path(A, b, a, weights, intercept, tol, e)
    probed = pcg_path(A, divided, a, weights, intercept, tol, e)
    seen = np.array([_traces(e, noise * root[:, None], x) for x in probed.coef])
    df, spread = seen.mean(axis=1) + int(intercept), None
    rss = np.stack([_rss(e, b, weights, intercept, x) for x in solved.coef])
    score, error = n * rss / (n - df)[:, None] ** 2, None
    if probes > 1:
        spread = seen.std(axis=1, ddof=1) / np.sqrt(probes)
        error = 2 * score * (spread / (n - df))[:, None]  # of n·rss/(n − df)², to first order
    curve = Curve("gcv", a, score, error, "generalized cross-validation score (trace probed)")
    return LargeScore(curve, solved, df, spread)


def _traces(e: Any, weighted: np.ndarray, X: np.ndarray) -> list[float]:
    """(q,) εᵀ√W Aᶜ x of every probe."""
    return [float(w @ e.forward(x)) for w, x in zip(weighted.T, X.T, strict=True)]


def _rss(e: Any, b: np.ndarray, weights: np.ndarray | None, intercept: bool, X: np.ndarray) -> np.ndarray:
    centred = b - np.average(b, axis=0, weights=weights) if intercept else b
    residual = centred - np.column_stack([e.forward(x) for x in X.T])
    w = np.ones(len(b)) if weights is None else weights
    return w @ residual**2


def large_kfold(
    A: Any,
    b: np.ndarray,
    alphas: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray | None = None,
    intercept: bool = True,
    tol: float = 1e-6,
) -> LargeScore:
    """K-fold error: each fold's rows get weight zero, so no part of A is copied."""
    a = np.sort(np.asarray(alphas, dtype=float))
    w = np.ones(A.shape[0]) if weights is None else np.asarray(weights, dtype=float)
    sums, totals = [], []
    for fold in np.unique(folds):
        held = folds == fold
        path = pcg_path(A, b, a, np.where(held, 0.0, w), intercept, tol)
        rows = A[np.flatnonzero(held)]
        errors = [b[held] - np.asarray(rows @ x) - g for x, g in zip(path.coef, path.intercept, strict=True)]
        sums.append([w[held] @ error**2 for error in errors])
        totals.append(w[held].sum())
    means = np.array(sums) / np.array(totals)[:, None, None]
    score = np.sum(sums, axis=0) / np.sum(totals)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(totals))
    solved = pcg_path(A, b, a, weights, intercept, tol)
    return LargeScore(Curve("kfold", a, score, error, "mean squared held-out error"), solved)
