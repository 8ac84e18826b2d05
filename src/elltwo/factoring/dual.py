"""Spectrum of a wide design from its n × n kernel matrix; coefficients stay implicit until asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse

from elltwo.errors import InputError
from elltwo.factoring.centre import centre_targets, spread
from elltwo.factoring.clean import gram_floor, keep
from elltwo.factoring.standard_form import StandardForm, standard_form
from elltwo.factoring.svd import rotate_dense
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import DenseRows, DualMap, Free, Origin, Spectrum, block_rows
from elltwo.tables.moments.dense import NEAR


@dataclass(frozen=True)
class WideDesign:
    """Column statistics of a wide design, and what multiplies it without a centred copy.

    A : (n, p); shift : (p,) or None; mean : (p,); root : (n,) or None; unit : (n,) √w/‖√w‖ or None.
    """

    A: Any
    shift: np.ndarray | None
    mean: np.ndarray
    root: np.ndarray | None
    unit: np.ndarray | None

    def transpose(self, y: np.ndarray) -> np.ndarray:
        """(p, m) Aᶜᵀ y for y (n, m) orthogonal to √w."""
        y = y if self.unit is None else y - np.outer(self.unit, self.unit @ y)
        y = y if self.root is None else (y.T * self.root).T
        if self.shift is None:
            return np.asarray(self.A.T @ y)
        out = np.empty((self.A.shape[1], *y.shape[1:]))
        step = block_rows(self.A.shape[0])
        for start in range(0, self.A.shape[1], step):  # centred first: far from zero, products would cancel
            columns = slice(start, start + step)
            out[columns] = (self.A[:, columns] - self.shift[columns]).T @ y
        return out


def factor_dual(problem: Problem, reason: str) -> Rotated:
    """Spectrum by eigenvectors of Aᶜ D⁻² Aᶜᵀ (n, n); for identity or diagonal L without free columns."""
    design = wide_design(problem.A, problem.weights, problem.intercept)
    form = wide_form(problem, design)
    K = kernel(design, form)
    squares, W = linalg.eigh(K, driver="evd", check_finite=False, overwrite_a=True)
    s = np.sqrt(np.maximum(squares[::-1], 0.0))
    allowed = min(problem.A.shape[0] - int(problem.intercept), problem.A.shape[1])
    k = keep(s, gram_floor(K.shape[0]), allowed)
    U = np.ascontiguousarray(W[:, ::-1][:, :k])
    diagonal = form.diagonal
    dead = None if diagonal is None else np.where(diagonal > 0, diagonal, np.inf)
    spectrum = Spectrum(
        s=s[:k],
        map=DualMap(design.transpose, U, s[:k], dead),
        rows=DenseRows(U, np.zeros((U.shape[0], 0))),
        free=Free(problem.intercept, design.mean, np.zeros((problem.A.shape[1], 0))),
        shape=problem.A.shape,
        weight=float(U.shape[0] if problem.weights is None else problem.weights.sum()),
        dropped=allowed - k,
        origin=Origin("dual", reason, squared=True),
        x0=problem.penalty.x0,
        root=design.root,
        scale=diagonal,
    )
    b, mean = centre_targets(problem.b, problem.weights, problem.intercept)
    return rotate_dense(spectrum, b, mean)


def wide_design(A: Any, weights: np.ndarray | None, intercept: bool) -> WideDesign:
    """Means of the columns, and a shift where they sit far from zero."""
    n = A.shape[0]
    root = None if weights is None else np.sqrt(weights)
    if not intercept:
        return WideDesign(A, None, np.zeros(A.shape[1]), root, None)
    w = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    mean = np.asarray(A.T @ w).ravel()
    shift = None if sparse.issparse(A) or _near(A, mean) else mean
    if shift is not None:  # the shift is exact; the mean relative to it removes the rounding
        mean = shift + _column_sums(A, shift, w)
    return WideDesign(A, shift, mean, root, np.sqrt(w))


def wide_form(problem: Problem, design: WideDesign) -> StandardForm:
    """Standard form (identity or positive diagonal) with the standardization of these rows."""
    sd = None
    if problem.penalty.standardize:
        square = _column_squares(design, problem.weights)
        weight = problem.A.shape[0] if problem.weights is None else problem.weights.sum()
        sd = spread(square, float(weight), design.mean)
    form = standard_form(problem.penalty, problem.A.shape[1], sd)
    if form.matrix is not None or form.null.shape[1]:
        raise InputError("the dual form takes an identity or positive diagonal L: use the svd method instead")
    return form


def kernel(design: WideDesign, form: StandardForm) -> np.ndarray:
    """(n, n) centred, weighted kernel √W Aᶜ D⁻² Aᶜᵀ √W, without a centred copy of A."""
    A = design.A
    n, p = A.shape
    diagonal = form.diagonal
    if design.shift is None and diagonal is None and not sparse.issparse(A):
        K = A @ A.T
    elif sparse.issparse(A):
        inverse = np.ones(p) if diagonal is None else _reciprocal(diagonal)
        scaled = A @ sparse.diags_array(inverse)
        K = (scaled @ scaled.T).toarray()
    else:
        K = np.zeros((n, n))
        for block in _scaled_blocks(design, diagonal):
            K += block @ block.T
    if design.root is not None:
        K *= np.outer(design.root, design.root)
    return K if design.unit is None else _project(K, design.unit)


def _project(K: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(I − uuᵀ) K (I − uuᵀ): centring with weights, since u = √w/‖√w‖."""
    Ku = K @ u
    middle = float(u @ Ku)
    K -= np.outer(u, Ku)
    K -= np.outer(Ku - middle * u, u)
    return (K + K.T) / 2


def _scaled_blocks(design: WideDesign, diagonal: np.ndarray | None) -> Iterator[np.ndarray]:
    """Blocks of columns, shifted and scaled."""
    n, p = design.A.shape
    step = block_rows(n)
    for start in range(0, p, step):
        columns = slice(start, start + step)
        block = design.A[:, columns]
        block = block if design.shift is None else block - design.shift[columns]
        yield block if diagonal is None else block * _reciprocal(diagonal[columns])


def _reciprocal(diagonal: np.ndarray) -> np.ndarray:
    return np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)


def _near(A: np.ndarray, mean: np.ndarray) -> bool:
    """Is every column's mean within NEAR standard deviations of zero, judged by some of the rows?"""
    some = A[:: max(1, A.shape[0] // 32)]
    return bool(np.all(np.abs(mean) <= NEAR * some.std(axis=0)))


def _column_sums(A: np.ndarray, shift: np.ndarray, w: np.ndarray) -> np.ndarray:
    out = np.empty(A.shape[1])
    step = block_rows(A.shape[0])
    for start in range(0, A.shape[1], step):
        columns = slice(start, start + step)
        out[columns] = w @ (A[:, columns] - shift[columns])
    return out


def _column_squares(design: WideDesign, weights: np.ndarray | None) -> np.ndarray:
    """(p,) Σw(a − m)²."""
    A, n = design.A, design.A.shape[0]
    w = np.ones(n) if weights is None else weights
    if sparse.issparse(A):
        return np.maximum(np.asarray(A.multiply(A).T @ w).ravel() - w.sum() * design.mean**2, 0.0)
    out = np.empty(A.shape[1])
    step = block_rows(n)
    for start in range(0, A.shape[1], step):
        columns = slice(start, start + step)
        out[columns] = w @ (A[:, columns] - design.mean[columns]) ** 2
    return out
