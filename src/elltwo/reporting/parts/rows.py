"""Rows of one target for the page: a sample, and those that stand out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

DRAWN, NOTABLE = 1_000, 20  # points of a figure, and of the largest leverages and errors beside them


@dataclass(frozen=True)
class RowSample:
    """Some rows at the chosen λ.

    Attributes
    ----------
    number : (m,) as the table counts, from 1. fitted, left_out, leverage : (m,) ŷ, y − ŷ without the row, diagonal of
        the hat matrix. sampled : (m,) is it one of a uniform sample? of : rows in all.
    """

    number: np.ndarray
    fitted: np.ndarray
    left_out: np.ndarray
    leverage: np.ndarray
    sampled: np.ndarray
    of: int


def row_points(rows: RowSample | None) -> dict[str, Any] | None:
    """What the figures draw: as many of the sample as a page bears, evenly spread, and the notable ones."""
    if rows is None:
        return None
    sample = np.flatnonzero(rows.sampled)
    sample = sample[np.linspace(0, sample.size - 1, min(DRAWN, sample.size)).astype(int)]
    size = np.abs(np.where(np.isfinite(rows.left_out), rows.left_out, np.inf))
    tops = [np.argsort(-v, kind="stable")[:NOTABLE] for v in (rows.leverage, size)]
    chosen = np.unique(np.concatenate([sample, *tops]))
    drawn = {name: _short(getattr(rows, name)[chosen]) for name in ("fitted", "left_out", "leverage")}
    return {"number": rows.number[chosen], **drawn, "of": rows.of}


def _short(values: np.ndarray) -> list[float]:
    """Six digits: enough to draw, and short in a model file."""
    return [float(f"{v:.6g}") for v in values.tolist()]
