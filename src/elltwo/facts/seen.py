"""Rows that were looked at again after a fit: what they say about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SeenRows:
    """Some rows of a table at the chosen λ, the rest of which is not here.

    Attributes
    ----------
    number : (m,) rows of the whole table, from 0, ascending.
    sampled : (m,) does the row belong to the uniform sample? The others are of large leverage or error.
    fitted, residual, left_out, leverage : (m, t) ŷ, y − ŷ, y − ŷ without the row, diagonal of the hat matrix.
    rows : of the table that were used.
    strongest : how many of the largest leverages, and of the largest errors, are among them at most.
    """

    number: np.ndarray
    sampled: np.ndarray
    fitted: np.ndarray
    residual: np.ndarray
    left_out: np.ndarray
    leverage: np.ndarray
    rows: int
    strongest: int
