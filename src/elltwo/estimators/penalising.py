"""What a user says about the penalty (free columns, strengths, prior mean, a matrix) as one Penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.errors import InputError
from elltwo.facts.problem import Penalty


def build_penalty(
    p: int,
    targets: int,
    *,
    names: np.ndarray | None = None,
    standardize: bool = False,
    free: Any = None,
    strengths: Any = None,
    prior_mean: Any = None,
    penalty: Any = None,
) -> Penalty:
    """λ‖L diag(√strengths)(x − prior_mean)‖², with 0 for the free columns.

    Parameters
    ----------
    p, targets : numbers of columns and of targets.
    names : (p,) column names, for ``free`` by name.
    standardize : the penalty applies to columns divided by their standard deviation.
    free : names, numbers or a mask (p,) of unpenalised columns.
    strengths : (p,) factor on λ for each column; 0 is free.
    prior_mean : (p,) or (t, p) coefficients that are shrunk toward, on the original scale.
    penalty : (m, p) matrix L.

    Raises
    ------
    InputError : a name that does not exist, a wrong shape, a negative strength.
    """
    scale = None if strengths is None else np.sqrt(_strengths(strengths, p))
    if free is not None and len(np.atleast_1d(free)):
        scale = np.ones(p) if scale is None else scale
        scale[_columns(free, p, names)] = 0.0
    operator = None
    if penalty is not None:
        operator = np.asarray(penalty.toarray() if hasattr(penalty, "toarray") else penalty, dtype=float)
        if operator.ndim != 2 or operator.shape[1] != p or not np.all(np.isfinite(operator)):
            raise InputError(f"penalty must be a finite matrix with {p} columns, got shape {operator.shape}")
    x0 = None if prior_mean is None else _prior(prior_mean, p, targets)
    return Penalty(scale=scale, operator=operator, x0=x0, standardize=bool(standardize))


def _strengths(strengths: Any, p: int) -> np.ndarray:
    values = np.asarray(strengths, dtype=float)
    if values.shape != (p,):
        raise InputError(f"strengths needs one number per column ({p}), got shape {values.shape}")
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise InputError("strengths must be finite numbers >= 0: 0 leaves a column free of any penalty")
    return values


def _columns(free: Any, p: int, names: np.ndarray | None) -> np.ndarray:
    asked = np.atleast_1d(np.asarray(free, dtype=object))
    if asked.size == p and all(isinstance(v, (bool, np.bool_)) for v in asked):
        return np.flatnonzero(asked.astype(bool))
    return np.array([_column(v, p, names) for v in asked], dtype=np.intp)


def _column(asked: Any, p: int, names: np.ndarray | None) -> int:
    if isinstance(asked, str):
        if names is None:
            raise InputError(f"free={asked!r} needs column names: pass a data frame, or column numbers")
        found = np.flatnonzero(np.asarray(names, dtype=object) == asked)
        if not found.size:
            raise InputError(f"free={asked!r} must name a column, and no column is called that")
        return int(found[0])
    if isinstance(asked, (bool, np.bool_)) or not isinstance(asked, (int, np.integer)):
        raise InputError(f"free takes column names, numbers or a mask of {p} booleans, got {asked!r}")
    if not -p <= asked < p:
        raise InputError(f"free={int(asked)} is no column: X has {p}, numbered from 0")
    return int(asked) % p


def _prior(prior_mean: Any, p: int, targets: int) -> np.ndarray:
    values = np.asarray(prior_mean, dtype=float)
    if not np.all(np.isfinite(values)):
        raise InputError("prior_mean must be finite: 0 is the usual choice")
    if values.shape == (p,):
        return values
    if values.shape == (targets, p):
        return values.T.copy()
    raise InputError(f"prior_mean needs shape ({p},) or ({targets}, {p}), got {values.shape}")
