"""Check a problem once: A, b, L, noise, weights, prior mean; whitened and named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy import linalg

from elltwo.errors import InputError, unknown_option
from elltwo.factoring.diagonal import Diagonal, diagonalize
from elltwo.operators import (
    ComposedOperator,
    ConvolutionOperator,
    DifferenceOperator,
    MatrixOperator,
    Operator,
    RowScaledOperator,
    ToeplitzOperator,
    as_operator,
    check_adjoint,
    differences,
    gradient,
    laplacian,
)
from elltwo.operators.differences import Edge

# their adjoints are held by tests/contracts; anybody else's is probed
TRUSTED = (MatrixOperator, ConvolutionOperator, ToeplitzOperator, DifferenceOperator)
PENALTIES = ("identity", "first", "second", "gradient", "laplacian")


@dataclass(frozen=True)
class Prepared:
    """A problem whose noise, where known, is white.

    Attributes
    ----------
    A : Operator (m, n), whitened; original : the operator as given.
    b : (m, t) whitened data; vector : was b one-dimensional?
    L : operator or None for the identity; x0 : (n,) or (n, t) or None.
    noise : standard deviation of each whitened datum, or None; whitened : did weights or a covariance act?
    """

    A: Operator
    original: Operator
    b: np.ndarray
    vector: bool
    L: Any
    x0: np.ndarray | None
    noise: float | None
    whitened: bool

    @cached_property
    def diagonal(self) -> Diagonal | None:
        """The transform that diagonalises A and L together, if there is one."""
        return None if self.whitened else diagonalize(self.A, self.L)


def prepare(
    A: Any, b: Any, L: Any, noise: Any, x0: Any, weights: Any, grid: tuple[int, ...] | None, seed: int
) -> Prepared:
    """Check and whiten.

    ``noise`` is a number (each datum's standard deviation), a vector of them, or a covariance matrix.

    Raises
    ------
    InputError
        For every shape, value or option that cannot be used.
    """
    operator = as_operator(A)
    if not isinstance(operator, TRUSTED):
        check_adjoint(operator, seed)
    m, n = operator.shape
    data = _data(b, operator)
    prior = None if x0 is None else _prior(x0, n, data.shape[1])
    penalty = penalty_of(L, operator, grid)
    scale, sigma = _whitening(noise, weights, m)
    white = operator
    if scale is not None:
        white = RowScaledOperator(scale, operator) if scale.ndim == 1 else ComposedOperator(scale, operator)
        data = scale[:, None] * data if scale.ndim == 1 else scale @ data
    vector = np.ndim(b) == 1 or np.shape(b) == tuple(operator.image_shape or ())
    return Prepared(white, operator, data, vector, penalty, prior, sigma, scale is not None)


def penalty_of(L: Any, A: Operator, grid: tuple[int, ...] | None) -> Any:
    """Return the operator that L names: one of PENALTIES, an order of differences, or L itself."""
    if L is None or (isinstance(L, str) and L == "identity"):
        return None
    shape = tuple(grid or A.image_shape or (A.shape[1],))
    if int(np.prod(shape)) != A.shape[1]:
        raise InputError(
            f"the grid {shape} has {int(np.prod(shape))} points, and A has {A.shape[1]} unknowns"
        )
    edge: Edge = "periodic" if isinstance(A, ConvolutionOperator) and A.boundary == "periodic" else "free"
    if isinstance(L, str):
        if L not in PENALTIES:
            raise unknown_option("penalty L", L, PENALTIES)
        if L in ("gradient", "laplacian"):
            return (gradient if L == "gradient" else laplacian)(shape, edge)
        L = 1 if L == "first" else 2
    if isinstance(L, int | np.integer):
        if len(shape) > 1:
            raise InputError(
                f"differences of order {L} are for one axis; on the grid {shape} use 'gradient' or 'laplacian'"
            )
        return differences(A.shape[1], int(L), edge)
    operator = as_operator(L)
    if operator.shape[1] != A.shape[1]:
        raise InputError(f"L must have {A.shape[1]} columns like A; got shape {operator.shape}")
    return operator


def _data(b: Any, A: Operator) -> np.ndarray:
    data = np.asarray(b)
    if np.iscomplexobj(data):
        raise InputError("b is complex, and elltwo works on real problems: stack real and imaginary parts")
    if data.dtype.kind not in "fiub":
        raise InputError(f"b must hold numbers; got dtype {data.dtype}")
    data = np.asarray(data, dtype=np.float64)
    if data.shape == tuple(A.image_shape or ()) and data.size == A.shape[0]:
        data = data.reshape(-1)
    if data.ndim not in (1, 2) or data.shape[0] != A.shape[0]:
        raise InputError(f"b must have {A.shape[0]} rows like A, of shape {A.shape}; got shape {np.shape(b)}")
    bad = ~np.isfinite(data)
    if bad.any():
        raise InputError(
            f"b holds {int(bad.sum())} values that are NaN or infinite, the first in row "
            f"{int(np.argwhere(bad)[0][0])}: drop those rows of A and b"
        )
    return data.reshape(A.shape[0], -1)


def _prior(x0: Any, n: int, targets: int) -> np.ndarray:
    prior = np.asarray(x0, dtype=np.float64)
    if prior.size == n:
        prior = prior.reshape(n)
    elif prior.shape != (n, targets):
        raise InputError(f"x0 must have shape ({n},) or ({n}, {targets}); got {prior.shape}")
    if not np.isfinite(prior).all():
        raise InputError("x0 holds NaN or infinity: give a finite prior mean")
    return prior


def _whitening(noise: Any, weights: Any, m: int) -> tuple[np.ndarray | None, float | None]:
    """The matrix or diagonal that whitens, and the standard deviation that is then known."""
    if weights is not None and noise is not None and np.ndim(noise) > 0:
        raise InputError("give weights or a noise vector or covariance, not both: they say the same thing")
    if weights is not None:
        w = np.asarray(weights, dtype=np.float64)
        if w.shape != (m,) or not np.isfinite(w).all() or (w < 0).any() or not (w > 0).any():
            raise InputError(f"weights must be {m} numbers >= 0, not all zero; got shape {w.shape}")
        return np.sqrt(w), _sigma(noise)
    if noise is None or np.ndim(noise) == 0:
        return None, _sigma(noise)
    cov = noise.toarray() if sp.issparse(noise) else np.asarray(noise, dtype=np.float64)
    if cov.shape == (m,):
        if not (np.isfinite(cov).all() and (cov > 0).all()):
            raise InputError("a noise vector holds each datum's standard deviation, finite and > 0")
        return 1.0 / cov, 1.0
    if cov.shape != (m, m):
        raise InputError(
            f"noise must be a number, {m} standard deviations, or a ({m}, {m}) covariance; got shape {cov.shape}"
        )
    try:
        C = linalg.cholesky(cov, lower=True)
    except (linalg.LinAlgError, ValueError):
        raise InputError(
            "the noise covariance is not symmetric positive definite: check its eigenvalues"
        ) from None
    return linalg.solve_triangular(C, np.eye(m), lower=True), 1.0


def _sigma(noise: Any) -> float | None:
    if noise is None:
        return None
    if np.iscomplexobj(noise) or not np.isfinite(noise) or noise < 0:
        raise InputError(f"noise is the standard deviation of each datum, a number >= 0; got {noise!r}")
    return float(noise)
