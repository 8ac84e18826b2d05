"""Check a problem once: A, b, L, noise, weights, prior mean; whitened and named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Any

import numpy as np

from elltwo.errors import InputError, unknown_option
from elltwo.factoring.diagonal import Diagonal, diagonalize
from elltwo.inverse.given import Whitening, check_size, data_of, prior_of, whitening
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
    has_adjoint,
    laplacian,
)
from elltwo.operators.differences import Edge

# their adjoints are held by tests/contracts; anybody else's is probed
TRUSTED = (MatrixOperator, ConvolutionOperator, ToeplitzOperator, DifferenceOperator)
SMALL = 2500  # unknowns up to which an L without adjoint is made an array
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
    elif isinstance(operator, MatrixOperator):
        check_size(operator.largest(), "A")
    m, n = operator.shape
    data = data_of(b, operator)
    prior = None if x0 is None else prior_of(x0, n, data.shape[1])
    penalty = penalty_of(L, operator, grid)
    white, data, sigma = _whitened(operator, data, whitening(noise, weights, m))
    vector = np.ndim(b) == 1 or np.shape(b) == tuple(operator.image_shape or ())
    return Prepared(white, operator, data, vector, penalty, prior, sigma, white is not operator)


def _whitened(A: Operator, data: np.ndarray, w: Whitening) -> tuple[Operator, np.ndarray, float | None]:
    """A and b with white noise; rows of weight 0 are left out, so that no rule counts them as data."""
    if w.scale is None:
        return A, data, w.noise
    if w.scale.ndim == 2:
        return ComposedOperator(w.scale, A), w.scale @ data, w.noise
    white = RowScaledOperator(w.scale, A)
    return white, white.scale * data[white.rows], w.noise


def penalty_of(L: Any, A: Operator, grid: tuple[int, ...] | None) -> Any:
    """Return the operator that L names: one of PENALTIES, an order of differences, or L itself."""
    if L is None or (isinstance(L, str) and L == "identity"):
        return None
    shape = _shape(grid) or tuple(A.image_shape or (A.shape[1],))
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
    operator = as_operator(L, "L")
    if operator.shape[1] != A.shape[1]:
        raise InputError(f"L must have {A.shape[1]} columns like A; got shape {operator.shape}")
    if isinstance(operator, TRUSTED):
        return operator
    if A.shape[1] <= SMALL and not has_adjoint(operator):
        return MatrixOperator(operator.todense())
    check_adjoint(operator)
    return operator


def _shape(grid: Any) -> tuple[int, ...]:
    try:
        return () if grid is None else tuple(index(n) for n in grid)
    except TypeError:
        asked = "the numbers of points along each axis, such as (64, 64)"
        raise InputError(f"grid must be {asked}; got {grid!r}") from None
