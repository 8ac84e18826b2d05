"""The door: X, y and weights checked once, refused in a sentence, cast without a copy where possible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight, validate_data

from elltwo.errors import InputError

BIG = 1e150  # squares of larger numbers overflow
LATE = 1e7  # numbers in a tall dense X beyond which a pass of its own for finiteness is worth saving


@dataclass(frozen=True)
class Data:
    """What a fit starts from.

    Attributes
    ----------
    X : (n, p) array or CSR, float64 (float32 only where rows are visited in blocks).
    y : (n, t) float64.
    weights : (n,) or None.
    single : was y one-dimensional?
    dtype : that of the attributes to be reported.
    names : (p,) column names or None.
    unread : nobody has looked yet whether X is finite; see `refuse_late`.
    """

    X: Any
    y: np.ndarray
    weights: np.ndarray | None
    single: bool
    dtype: np.dtype
    names: np.ndarray | None
    unread: bool = False


def check_data(estimator: Any, X: Any, y: Any, numeric: bool = True) -> tuple[Any, Any]:
    """X and y as arrays of numbers, finite, of the same length; sets the names on the estimator.

    Whether a large tall X is finite is left to `refuse_late`.

    Raises
    ------
    InputError : what is wrong, where, and what to do.
    """
    names = column_names(X)
    _refuse_duplicates(names)
    if numeric:
        _refuse_missing_targets(y)
    try:
        X, y = validate_data(
            estimator,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            multi_output=True,
            y_numeric=numeric,
        )
    except (ValueError, TypeError) as error:
        if "could not convert" not in str(error) and "Cannot convert" not in str(error):
            raise
        raise InputError(f"{_text_column(X, y, names)}: encode text as numbers, or drop it") from error
    if not _late(X):
        refuse_not_finite(X, "X", names)
    return X, y


def _refuse_duplicates(names: list[str] | None) -> None:
    if names is not None and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{names.count(twice)} columns are called {twice!r}: rename all but one of them")


def _refuse_missing_targets(y: Any) -> None:
    values = None if y is None or sparse.issparse(y) else np.asarray(y)
    if values is not None and values.ndim in (1, 2):
        refuse_not_finite(values, "y", None)


def _late(X: Any) -> bool:
    return not sparse.issparse(X) and X.size > LATE and X.shape[0] >= X.shape[1]


@contextmanager
def refuse_late(data: Data, by_moments: bool) -> Iterator[None]:
    """Refuse an X that is not finite while it is fitted.

    NaN, infinity and overflow all reach the diagonal of the Gram matrix, where factoring refuses them. On that
    route (``by_moments``) X is read once more only to say where they are; on any other it is read here, first.
    """
    names = None if data.names is None else [str(name) for name in data.names]
    if data.unread and not by_moments:
        refuse_not_finite(data.X, "X", names)
    if not (data.unread and by_moments):
        yield
        return
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except InputError:
        refuse_not_finite(data.X, "X", names)
        raise


def make_data(estimator: Any, X: Any, y: np.ndarray, sample_weight: Any) -> Data:
    """The checked arrays as a Data; weights are checked here."""
    weights = check_weights(sample_weight, X)
    dtype, single = X.dtype, y.ndim == 1
    blocks = not sparse.issparse(X) and X.shape[0] >= X.shape[1] and X.size > 1e7
    if X.dtype != np.float64 and not blocks:
        X = X.astype(np.float64)
    y = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
    names = getattr(estimator, "feature_names_in_", None)
    return Data(X, y, weights, single, dtype, names, _late(X))


def check_weights(sample_weight: Any, X: Any) -> np.ndarray | None:
    """(n,) nonnegative finite weights, not all zero, or None."""
    if sample_weight is None:
        return None
    given = np.asarray(sample_weight)
    if given.ndim == 1 and not np.any(given):
        raise InputError(
            "sample_weight is zero in every row, so nothing is left to fit: pass positive weights"
        )
    w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=False)
    if np.any(w < 0):
        first = int(np.flatnonzero(w < 0)[0])
        raise InputError(
            f"sample_weight must be >= 0, got {w[first]:g} at row {first}: drop or mend these rows"
        )
    return w


def column_names(X: Any) -> list[str] | None:
    """Names of a frame's columns, or None."""
    columns = getattr(X, "columns", None)
    return None if columns is None or callable(columns) else [str(c) for c in columns]


def refuse_not_finite(X: Any, what: str, names: list[str] | None) -> None:
    """Refuse NaN, infinity, and numbers whose squares overflow: how many, and where the first one is.

    A finite sum of squares proves all three absent in one pass at the speed of memory.
    """
    values = X.data if sparse.issparse(X) else np.asarray(X)
    if values.dtype.kind not in "fc" or not values.size:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if values.flags.forc and np.isfinite(np.vdot(values, values)):
            return
        finite = np.isfinite(values)
    if not finite.all():
        raise InputError(_where_not_finite(X, what, names))
    most = float(np.abs(values).max())
    if most > BIG:
        raise InputError(
            f"{what} holds values up to {most:.3g}, whose squares overflow: divide them by a power of ten"
        )


def _where_not_finite(X: Any, what: str, names: list[str] | None) -> str:
    values = (X.tocoo().data if sparse.issparse(X) else np.asarray(X)).astype(float)
    bad = np.argwhere(~np.isfinite(values))[0]
    if sparse.issparse(X):
        coo = X.tocoo()
        bad = np.array([coo.row[bad[0]], coo.col[bad[0]]])
    nan, inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    column = ""
    if bad.size > 1:
        column = f", column {names[bad[1]]!r}" if names else f", column {bad[1]}"
    return (
        f"{what} contains {nan} NaN and {inf} infinity (inf) values, the first at row {bad[0]}{column}: "
        "fill them in or drop these rows"
    )


def _text_column(X: Any, y: Any, names: list[str] | None) -> str:
    """Name the first column, and the first value in it, that is not a number."""
    columns = np.asarray(X, dtype=object) if getattr(X, "ndim", 2) == 2 else None
    if columns is not None and columns.ndim == 2:
        for j in range(columns.shape[1]):
            for i, value in enumerate(columns[:, j]):
                if not _is_number(value):
                    where = repr(names[j]) if names else j
                    return f"column {where} of X holds {value!r} at row {i}, which is not a number"
    for i, value in enumerate(np.asarray(y, dtype=object).ravel()):
        if not _is_number(value):
            return f"y holds {value!r} at row {i}, which is not a number"
    return "X holds values that are not numbers"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
