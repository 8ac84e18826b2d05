"""Anything that multiplies → an operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from elltwo.errors import InputError
from elltwo.operators.base import MatrixOperator, Operator, WrappedOperator


def as_operator(A: Any, name: str = "A") -> Operator:
    """Return A as an :class:`Operator`.

    Parameters
    ----------
    A : array_like, SciPy sparse, SciPy LinearOperator, PyLops operator or Operator
        PyLops' operators come in through the SciPy interface they have.
    name : str
        What to call it in an error.

    Raises
    ------
    InputError
        If A is complex, empty, not two-dimensional, or holds NaN or infinity.
    """
    if isinstance(A, Operator):
        return A
    if isinstance(A, LinearOperator) or (hasattr(A, "matvec") and hasattr(A, "rmatvec")):
        _check_shape(tuple(A.shape), name)
        if A.dtype is not None and np.issubdtype(A.dtype, np.complexfloating):
            raise InputError(_COMPLEX.format(name=name))
        return WrappedOperator(A)
    if sp.issparse(A):
        matrix = sp.csr_array(A)
        _check_values(matrix.data, name)
    else:
        matrix = np.asarray(A)
        if matrix.dtype == object or matrix.dtype.kind in "SUOmM":
            raise InputError(
                f"{name} must be an array, sparse array or operator of numbers; "
                f"got {type(A).__name__} of dtype {matrix.dtype}"
            )
        _check_values(matrix, name)
    _check_shape(matrix.shape, name)
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    return MatrixOperator(matrix)


_COMPLEX = "{name} is complex, and elltwo works on real problems: stack real and imaginary parts, [[Re, −Im], [Im, Re]]"


def _check_shape(shape: tuple[int, ...], name: str) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"{name} must have two dimensions, both at least 1; got shape {tuple(shape)}")


def _check_values(values: np.ndarray, name: str) -> None:
    if np.iscomplexobj(values):
        raise InputError(_COMPLEX.format(name=name))
    bad = ~np.isfinite(values)
    if bad.any():
        where = np.argwhere(bad)[0].tolist() if values.ndim > 1 else int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{name} holds {int(bad.sum())} values that are NaN or infinite, the first at {where}: "
            "remove or replace them"
        )
