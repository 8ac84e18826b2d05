"""Every way to say which rows are held out, as a list of Splits."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import KFold, check_cv

from elltwo.errors import InputError
from elltwo.factoring.folds import check_folds
from elltwo.factoring.splits import Split

DEFAULT_FOLDS = 5


def splits_of(cv: Any, X: Any, y: np.ndarray, classifier: bool = False, **params: Any) -> list[Split]:
    """Splits of an int, a splitter, an iterable of (train, test), or a fold column of length n.

    ``params`` go to the splitter's ``split`` (``groups``, for one). None is five shuffled folds, seed 0.
    """
    n = X.shape[0]
    if is_fold_column(cv, n):
        numbers = check_folds(np.asarray(cv), n)
        return [
            Split(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k))
            for k in range(numbers.max() + 1)
        ]
    if isinstance(cv, (int, np.integer)) and not 2 <= cv <= n:
        raise InputError(
            f"the number of folds must lie between 2 and the number of rows, got cv={cv} with n_samples={n}"
        )
    if cv is None:
        cv = KFold(max(2, min(DEFAULT_FOLDS, n)), shuffle=True, random_state=0)
    splitter = check_cv(cv, y, classifier=classifier)
    out = [Split(_rows(train, n), _rows(held, n)) for train, held in splitter.split(X, y, **params)]
    if not out:
        raise InputError("cv gave no split at all: pass a number of folds, a splitter or a fold column")
    return out


def is_fold_column(cv: Any, n: int) -> bool:
    """Is cv one fold label per row (rather than a number, a splitter or a list of splits)?"""
    if (
        cv is None
        or hasattr(cv, "split")
        or isinstance(cv, str)
        or not hasattr(cv, "__len__")
        or len(cv) != n
    ):
        return False
    return all(np.ndim(v) == 0 for v in cv)


def only(splits: list[Split], kept: np.ndarray) -> list[Split]:
    """The same splits of the kept rows (a mask), renumbered."""
    number = np.cumsum(kept) - 1
    return [Split(number[s.train[kept[s.train]]], number[s.held[kept[s.held]]]) for s in splits]


def _rows(rows: Any, n: int) -> np.ndarray:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool and rows.shape == (n,) else rows.astype(np.intp)
