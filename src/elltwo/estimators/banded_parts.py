"""The groups of a banded ridge: columns of a design (dense or sparse), or kernels; as bands, and as predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from elltwo.errors import InputError
from elltwo.estimators.kernels import Kernel
from elltwo.factoring import factor
from elltwo.facts.problem import Penalty, Problem
from elltwo.selecting.banded import (
    Bands,
    bands_of_columns,
    bands_of_kernels,
    bands_of_sparse,
    dual_coefficients,
)
from elltwo.selecting.joint import Aside
from elltwo.shrinking import shrink

ROUNDING = 1e-13  # share of a column's length that centring leaves of a constant
OTHERWISE = "use rule='evidence', which needs a matrix over the columns alone"
MOST = 1e9  # numbers that the matrices of all groups may hold together: 8 GB


@dataclass(frozen=True)
class Solved:
    """weights : (p, t) coefficients, or (n, t) dual ones; alphas : (1 or t, G); intercept : (t,)."""

    weights: np.ndarray
    alphas: np.ndarray
    intercept: np.ndarray

    def of_group(self, g: int) -> np.ndarray:
        """(n, t) dual coefficients over the group's strengths."""
        return self.weights / self.alphas[:, g]


@dataclass(frozen=True)
class ColumnParts:
    """Groups of columns: X (n, p) dense or CSR, index arrays, and whether there is an intercept."""

    X: Any
    groups: list[np.ndarray]
    intercept: bool

    def bands(self, y: np.ndarray, rows_needed: bool) -> Bands:
        """Kernels of the groups; y (n, t) centred."""
        n, p = self.X.shape
        side = n if rows_needed or n <= p + 1 else p
        _refuse_large(len(self.groups), side, OTHERWISE if n > p + 1 and side == n else "")
        if sparse.issparse(self.X):
            return bands_of_sparse(self.X, self.groups, y, int(self.intercept), rows_needed)
        centred = _centred(self.X) if self.intercept else self.X
        return bands_of_columns(centred, self.groups, y, int(self.intercept), rows_needed)

    def solve(self, b: np.ndarray, bands: Bands, alphas: np.ndarray) -> Solved:
        """Coefficients at strengths (1, G) for all targets, or (t, G)."""
        columns = [slice(None)] if len(alphas) == 1 else [slice(j, j + 1) for j in range(b.shape[1])]
        found = [self._solve(b[:, c], own) for c, own in zip(columns, alphas, strict=True)]
        coef, intercept = np.hstack([s.coef for s in found]), np.concatenate([s.intercept for s in found])
        return Solved(coef, alphas, intercept)

    def _solve(self, b: np.ndarray, alphas: np.ndarray) -> Any:
        scale = np.empty(self.X.shape[1])
        for g, alpha in zip(self.groups, alphas, strict=True):
            scale[g] = np.sqrt(alpha)
        return shrink(factor(Problem(self.X, b, None, self.intercept, Penalty(scale=scale))), 1.0)

    def predict(self, X: Any, solved: Solved) -> np.ndarray:
        """(m, t)."""
        return np.asarray(X @ solved.weights) + solved.intercept

    def contributions(self, X: Any, solved: Solved) -> np.ndarray:
        """(G, m, t) relative to the training mean."""
        mean = np.asarray(self.X.mean(axis=0)).ravel() if self.intercept else np.zeros(self.X.shape[1])
        w = solved.weights
        if sparse.issparse(X):
            return np.stack([np.asarray(X[:, g] @ w[g]) - mean[g] @ w[g] for g in self.groups])
        return np.stack([(X[:, g] - mean[g]) @ w[g] for g in self.groups])


@dataclass(frozen=True)
class KernelParts:
    """A kernel per group: the training rows of each group (None where kernels are given), and the kernels."""

    kernels: list[Kernel]
    groups: list[np.ndarray]
    X: Any
    intercept: bool

    def between(self, X: Any) -> list[np.ndarray]:
        """(m, n) for each group, k_g of new and training rows."""
        if self.kernels[0].metric == "precomputed":
            return list(X)
        return [k(X[:, g], self.X[:, g]) for k, g in zip(self.kernels, self.groups, strict=True)]

    def bands(self, y: np.ndarray, rows_needed: bool) -> Bands:
        """Centred kernels of the groups; y (n, t) centred."""
        n = y.shape[0]
        _refuse_large(len(self.groups), n, "")
        kernels = np.stack([_checked_kernel(K, name) for name, K in enumerate(self.between(self.X))])
        if self.intercept:
            kernels = kernels - kernels.mean(axis=1, keepdims=True)
            kernels -= kernels.mean(axis=2, keepdims=True)
        return bands_of_kernels(kernels, y, Aside(int(self.intercept), 0.0, n))

    def solve(self, b: np.ndarray, bands: Bands, alphas: np.ndarray) -> Solved:
        """Dual coefficients at strengths (1, G) for all targets, or (t, G); they sum to 0 beside an intercept."""
        a = dual_coefficients(bands, alphas[0])
        for j in range(1, len(alphas)):
            a[:, j] = dual_coefficients(bands, alphas[j])[:, j]
        solved = Solved(a, alphas, np.zeros(b.shape[1]))
        middle = b.mean(axis=0) if self.intercept else np.zeros(b.shape[1])
        return Solved(a, alphas, middle - self._means(solved).sum(axis=0))

    def predict(self, X: Any, solved: Solved) -> np.ndarray:
        """(m, t)."""
        pairs = enumerate(self.between(X))
        return np.sum([K @ solved.of_group(g) for g, K in pairs], axis=0) + solved.intercept

    def contributions(self, X: Any, solved: Solved) -> np.ndarray:
        """(G, m, t) relative to the training mean."""
        seen = np.stack([K @ solved.of_group(g) for g, K in enumerate(self.between(X))])
        return seen - self._means(solved)[:, None]

    @cached_property
    def _rows_mean(self) -> np.ndarray:
        """(G, n) every group's kernel averaged over the training rows."""
        return np.stack([K.mean(axis=0) for K in self.between(self.X)])

    def _means(self, solved: Solved) -> np.ndarray:
        """(G, t) mean of every group's function over the training rows."""
        if not self.intercept:
            return np.zeros((len(self.groups), solved.weights.shape[1]))
        return np.stack([middle @ solved.of_group(g) for g, middle in enumerate(self._rows_mean)])


def kernels_of(kernel: Any, params: Any, groups: int) -> list[Kernel]:
    """One kernel per group from one for all, or a list.

    Raises
    ------
    InputError : another number of kernels or of parameter sets than groups.
    """
    names = list(kernel) if isinstance(kernel, list | tuple) else [kernel] * groups
    settings = list(params) if isinstance(params, list | tuple) else [params] * groups
    for what, given in (("kernel", names), ("kernel_params", settings)):
        if len(given) != groups:
            raise InputError(f"{what} needs one entry for each of the {groups} groups, got {len(given)}")
    if len(set(map(str, names))) > 1 and "precomputed" in names:
        raise InputError("precomputed kernels cannot be mixed with others: compute all, or none")
    return [_kernel(name, dict(own or {})) for name, own in zip(names, settings, strict=True)]


def _kernel(name: Any, own: dict[str, Any]) -> Kernel:
    if callable(name):
        return Kernel(name, params=own)
    unknown = set(own) - {"gamma", "degree", "coef0"}
    if unknown:
        raise InputError(f"kernels by name take gamma, degree and coef0, not {', '.join(sorted(unknown))}")
    return Kernel(name, **own)


def column_groups(groups: Any, p: int) -> tuple[list[np.ndarray], list[Any]]:
    """Index arrays of the groups, and their labels; every column in exactly one group."""
    if groups is None:
        groups = np.arange(p)
    if all(np.ndim(g) == 0 for g in groups):
        if len(groups) != p:
            raise InputError(f"one group label per column is needed ({p}), got {len(groups)}")
        labels, which = np.unique(np.asarray(groups), return_inverse=True)
        return [np.flatnonzero(which == i) for i in range(labels.size)], labels.tolist()
    indices = [np.asarray(g, dtype=np.intp) for g in groups]
    counts = np.bincount(np.concatenate(indices), minlength=p)
    if counts.size != p or np.any(counts != 1):
        wrong = np.flatnonzero(counts[:p] != 1)[:5].tolist() if counts.size == p else f"beyond {p - 1}"
        raise InputError(f"every column belongs to exactly one group; these do not: {wrong}")
    return indices, list(range(len(indices)))


def _centred(X: np.ndarray) -> np.ndarray:
    """X minus its column means; what rounding leaves of a constant column is nothing."""
    centred = X - X.mean(axis=0)
    dust = ROUNDING * np.sqrt((X**2).sum(axis=0))
    centred[:, np.sqrt((centred**2).sum(axis=0)) <= dust] = 0.0
    return centred


def _checked_kernel(K: np.ndarray, name: Any) -> np.ndarray:
    K = np.asarray(K, dtype=float)
    asymmetry = float(np.max(np.abs(K - K.T), initial=0.0))
    if asymmetry > 1e-8 * max(float(np.max(np.abs(K), initial=0.0)), 1e-300):
        raise InputError(
            f"the kernel of group {name} is not symmetric (K - K' reaches {asymmetry:.3g}): symmetrize it"
        )
    return K


def _refuse_large(groups: int, side: int, otherwise: str) -> None:
    if float(groups) * side * side > MOST:
        remedy = otherwise or "fit on some of the rows, or use SparseRidgeCV, which has one strength for all"
        raise InputError(
            f"banded ridge keeps a {side} x {side} matrix for each of the {groups} groups, "
            f"{8e-9 * groups * side * side:.0f} GB together: {remedy}"
        )
