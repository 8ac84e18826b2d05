"""Standard form of a large sparse L: L⁺ by a sparse factorization of LᵀL, its null space by inverse iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import ArpackNoConvergence, eigsh, splu

from elltwo.errors import InputError
from elltwo.operators import MatrixOperator, as_operator

SHIFT = 1e-8  # of ‖LᵀL‖₁, at which the null space is looked for
UNSEEN, SEEN = 1e-14, 1e-12  # eigenvalues of LᵀL as shares of ‖LᵀL‖₁: at most this is 0, at least that is not
ADDED = 1e-2  # of the least eigenvalue that is not 0, added before factoring; refinement takes it out again
MOST_NULL, ITERATIONS, TOLERANCE = 24, 100, (1e-2, 1e-12)
DENSE = 0.05  # share of entries beyond which an L that is read column by column is called dense
BLOCK = 256
REFINED, ROUNDS = 1e-13, 12


@dataclass(frozen=True)
class SparseLift:
    """P = L⁺ = (LᵀL)⁺Lᵀ, applied by solves with LᵀL + μ and refinement on the complement of the null space.

    Attributes
    ----------
    L : (r, n) sparse; normal : LᵀL; factor : of LᵀL + μ; null : (n, q) orthonormal.
    """

    L: sp.csr_array
    normal: sp.csr_array
    factor: Any
    null: np.ndarray

    def forward(self, y: np.ndarray) -> np.ndarray:
        """L⁺ y."""
        return self._solve(self.L.T @ y)

    def adjoint(self, x: np.ndarray) -> np.ndarray:
        """(L⁺)ᵀ x."""
        return np.asarray(self.L @ self._solve(x))

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """(LᵀL)⁺ right; each round shrinks the error by ADDED at least."""
        residual = right = self._seen(right)
        x, scale = np.zeros_like(right), float(np.linalg.norm(right))
        for _ in range(ROUNDS):
            if float(np.linalg.norm(residual)) <= REFINED * scale:
                break
            x = self._seen(x + self.factor.solve(residual))
            residual = self._seen(right - self.normal @ x)
        return x

    def _seen(self, x: np.ndarray) -> np.ndarray:
        return x - self.null @ (self.null.T @ x) if self.null.shape[1] else x


def sparse_lift(L: Any) -> SparseLift:
    """L⁺ of a sparse matrix, or of an operator whose columns are read once.

    Raises
    ------
    InputError
        If L is zero, dense, or leaves more than MOST_NULL directions free.
    """
    matrix = _sparse(L)
    normal = sp.csr_array(matrix.T @ matrix)
    size = float(abs(normal).sum(axis=0).max())
    if size == 0:
        raise InputError("L is zero, so it penalises nothing: leave it out for the identity")
    least, null = _null_space(normal, size)
    shifted = normal + ADDED * least * sp.eye_array(normal.shape[0])
    return SparseLift(matrix, normal, splu(sp.csc_array(shifted)), null)


def _null_space(normal: sp.csr_array, size: float) -> tuple[float, np.ndarray]:
    """The least eigenvalue of LᵀL that is not 0, and orthonormal eigenvectors to 0, by Lanczos on (LᵀL + μ)⁻¹."""
    start = np.random.default_rng(0).standard_normal(normal.shape[0])
    for k in (1, 6, MOST_NULL):  # one alone tells quickly that there is no null space
        try:
            values, vectors = eigsh(
                sp.csc_array(normal),
                k=k,
                sigma=-SHIFT * size,
                v0=start,
                maxiter=ITERATIONS,
                tol=TOLERANCE[k > 1],
            )
        except ArpackNoConvergence:
            break
        null = np.abs(values) <= UNSEEN * size
        if null.all():
            continue
        least = float(values[~null].min())
        if least < SEEN * size:
            break
        if k == 1 and least < SHIFT * size:
            continue
        return least, np.linalg.qr(vectors[:, null])[0]
    raise InputError(
        f"L leaves more than {MOST_NULL} directions free, or nearly so, and {normal.shape[0]} unknowns are too many to "
        "decompose it: stack a small multiple of the identity under it, or use differences of order 1 or 2, gradient "
        "or laplacian"
    )


def _sparse(L: Any) -> sp.csr_array:
    operator = as_operator(L)
    if isinstance(operator, MatrixOperator) and sp.issparse(operator.matrix):
        return sp.csr_array(operator.matrix)
    rows, n = operator.shape
    columns = []
    for start in range(0, n, BLOCK):
        unit = np.zeros((n, min(BLOCK, n - start)))
        unit[np.arange(start, start + unit.shape[1]), np.arange(unit.shape[1])] = 1.0
        columns.append(sp.csc_array(operator.matmat(unit)))
        if columns[-1].nnz > DENSE * rows * unit.shape[1] + 10 * unit.shape[1]:
            raise InputError(
                f"L is dense, and {n} unknowns are too many to decompose it: use a sparse L, differences, gradient or "
                "laplacian, or make the unknowns y = L x part of the operator"
            )
    return sp.csr_array(sp.hstack(columns))
