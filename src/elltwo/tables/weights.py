"""Sample weights: what may stand in their column."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elltwo.errors import DataError


def require_weights(weights: np.ndarray, bad: Callable[[int, str, str, str], Exception]) -> None:
    """Raise ``bad(row, value, why, what to do)`` for the first weight that is missing, infinite or negative.

    Parameters
    ----------
    weights : (n,) float64
    bad : callable
        Makes the error, since only the caller knows the file and line.
    """
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        value = "" if np.isnan(weights[row]) else str(float(weights[row]))
        why = "a weight is a finite number, zero or more"
        raise bad(row, value, why, "mend it, give the row weight 0, or fit without `--weights`")


def require_some_weight(weights: np.ndarray | None, name: str) -> None:
    """DataError if every weight is zero."""
    if weights is not None and not (weights > 0).any():
        raise DataError(f"every weight in column {name!r} is zero: give at least two rows a positive weight")
