"""Exact K-fold cross-validation over every λ, from the training folds' spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.facts.rotated import Fold
from elltwo.laws.ridge import gains


@dataclass(frozen=True)
class FoldScore:
    """Held-out squared errors: ``sums`` (K, L, t) weighted sums, ``weights`` (K,) of the folds."""

    sums: np.ndarray
    weights: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(L, t) weighted mean squared error over all held-out rows."""
        return self.sums.sum(axis=0) / self.weights.sum()

    @property
    def error(self) -> np.ndarray:
        """(L, t) standard error of the mean over folds: sd of the fold means / √K (Breiman et al. 1984)."""
        means = self.sums / self.weights[:, None, None]
        return means.std(axis=0, ddof=1) / np.sqrt(self.weights.size)


def kfold(folds: list[Fold], alphas: np.ndarray) -> FoldScore:
    """Held-out error of every fold at every λ (L,)."""
    a = np.asarray(alphas, dtype=float)
    sums = np.stack([held_out_error(fold, a) for fold in folds])
    return FoldScore(sums, np.array([fold.weight for fold in folds]))


def held_out_error(fold: Fold, alphas: np.ndarray) -> np.ndarray:
    """(L, t) Σ w (y − ŷ)² over the held-out rows of one fold."""
    G = gains(fold.s, alphas)
    if fold.design is not None:
        return _from_rows(fold, G)
    return _from_moments(fold, G)


def _from_rows(fold: Fold, G: np.ndarray) -> np.ndarray:
    assert fold.design is not None
    assert fold.y is not None
    out = np.empty((G.shape[1], fold.y.shape[1]))
    for i in range(G.shape[1]):
        residual = fold.design @ (G[:, i, None] * fold.z)
        residual -= fold.y
        out[i] = np.einsum("ij,ij->j", residual, residual)
    return out


def _from_moments(fold: Fold, G: np.ndarray) -> np.ndarray:
    """Σw y² − 2 cᵀ(Σw a y) + cᵀ(Σw aaᵀ)c for coefficients c of each λ and target."""
    assert fold.second is not None
    assert fold.cross is not None
    assert fold.square is not None
    out = np.empty((G.shape[1], fold.z.shape[1]))
    for j in range(fold.z.shape[1]):
        C = fold.V @ (G * fold.z[:, j, None]) + fold.offset[:, j, None]  # (p, L)
        quadratic = np.einsum("ij,ij->j", C, fold.second @ C)
        out[:, j] = fold.square[j] - 2 * (fold.cross[:, j] @ C) + quadratic
    return np.maximum(out, 0.0)
