"""Mixed tables with missing values, and the naive way to make their design rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.mixed import MixedMoments


@dataclass(frozen=True)
class MixedTable:
    """numbers (n, d) with NaN, the last one the target; categories as object arrays with None."""

    numbers: np.ndarray
    categories: tuple[np.ndarray, ...]
    folds: np.ndarray
    weights: np.ndarray | None

    @property
    def names(self) -> tuple[str, ...]:
        return (*(f"x{j}" for j in range(self.numbers.shape[1] - 1)), "y")


def mixed_table(
    n: int = 400,
    d: int = 4,
    levels: tuple[int, ...] = (3, 7),
    missing: float = 0.1,
    folds: int = 4,
    seed: int = 0,
    weighted: bool = False,
    offset: float = 0.0,
) -> MixedTable:
    """Correlated numbers (column 0 complete), categories with effects, random folds."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + offset
    codes = [rng.integers(0, size, n) for size in levels]
    effects = sum((rng.standard_normal(size)[c] for size, c in zip(levels, codes, strict=True)), np.zeros(n))
    y = (X - offset) @ rng.standard_normal(d) + effects + rng.standard_normal(n) + offset
    holes = rng.random((n, d)) < missing
    holes[:, 0] = False
    X[holes] = np.nan
    categories = []
    for code in codes:
        labels = np.array([f"level{c}" for c in code], dtype=object)
        labels[rng.random(n) < missing] = None
        categories.append(labels)
    weights = rng.uniform(0.5, 2.0, n) if weighted else None
    return MixedTable(np.column_stack([X, y]), tuple(categories), rng.integers(0, folds, n), weights)


def gathered(
    table: MixedTable, rows: slice = slice(None), block: int = 97, cap: int = 1000, folds: int | None = None
) -> MixedMoments:
    """Mixed moments of some rows, in blocks whose codes mean something else every time."""
    K = int(table.folds.max()) + 1 if folds is None else folds
    g = Gatherer(table.names, tuple(f"c{i}" for i in range(len(table.categories))), K, cap)
    numbers, fold_of = table.numbers[rows], table.folds[rows]
    for start in range(0, len(numbers), block):
        piece = slice(start, start + block)
        coded = [codes_of(c[rows][piece], start) for c in table.categories]
        weights = None if table.weights is None else table.weights[rows][piece]
        g.add(numbers[piece], [c for c, _ in coded], [names for _, names in coded], fold_of[piece], weights)
    return g.result()


def codes_of(labels: np.ndarray, seed: int) -> tuple[np.ndarray, list[str]]:
    """Codes into a shuffled dictionary of this block; −1 is missing."""
    names = sorted({x for x in labels if x is not None})
    np.random.default_rng(seed).shuffle(names)
    place = {name: i for i, name in enumerate(names)}
    return np.array([-1 if x is None else place[x] for x in labels], dtype=np.int32), names
