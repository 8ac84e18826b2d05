"""Rows of one target for the page: a sample, and those that stand out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.facts.rotated import Rotated
from elltwo.facts.seen import SeenRows
from elltwo.facts.solution import Solution
from elltwo.selecting.loo import leverages, loo_residuals
from elltwo.tables.folds import splitmix64

MOST_WORK = 2e8  # rows x directions of a table in memory up to which its rows are gone over again
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


def rows_seen(seen: SeenRows, which: int = 0) -> RowSample:
    """Rows that a second pass kept."""
    return RowSample(
        seen.number + 1, seen.fitted[:, which], seen.left_out[:, which], seen.leverage[:, which], seen.sampled,
        seen.rows,
    )  # fmt: skip


def rows_at_hand(
    rotated: Rotated, solution: Solution, A: Any, numbers: np.ndarray | None = None, which: int = 0
) -> RowSample | None:
    """Rows A (n, p) of a table in memory, a sample of them drawn by their numbers in the table, from 1.

    None where the fit kept no rows, or where going over them again would cost much.
    """
    n = A.shape[0]
    if rotated.spectrum.rows is None or rotated.spectrum.shape[0] != n:
        return None
    if n * rotated.spectrum.s.size > MOST_WORK:
        return None
    numbers = np.arange(1, n + 1) if numbers is None else numbers
    fitted = A @ solution.coef[:, which] + solution.intercept[which]
    e, h = loo_residuals(rotated, solution.alpha)[:, which], leverages(rotated, float(solution.alpha[which]))
    sampled = np.zeros(n, dtype=bool)
    sampled[np.argsort(splitmix64((numbers - 1).astype(np.uint64)))[:DRAWN]] = True
    return RowSample(numbers, fitted, e, h, sampled, n)


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
