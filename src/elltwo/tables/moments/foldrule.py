"""Folds of rows that stream by: a rule of the row number or of a value, never of the batch it came in."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from elltwo.errors import DataError, UsageError, unknown_option
from elltwo.tables.folds import BALANCED_BELOW, balanced_folds, fold_ids, hash_folds, row_folds

KINDS = ("hash", "balanced", "group", "column", "contiguous")


@dataclass(frozen=True)
class FoldRule:
    """Which fold a row belongs to; independent of files' partitioning, batches, threads and engine.

    Attributes
    ----------
    kind : ``"hash"`` of the global row number; ``"balanced"``, a permutation of all rows, equal to
        scikit-learn's ``KFold(k, shuffle=True, random_state=seed)``; ``"group"``, hash of a column's
        value, so that equal values share a fold; ``"column"``, the fold is a column; ``"contiguous"``
        ranges of rows, for time.
    k : number of folds; 1 for none.
    seed : of hash and permutation.
    rows : total number of rows; needed by ``"balanced"`` and ``"contiguous"``.
    column : name of the group or fold column.
    labels : values of the fold column, in fold order.
    keys, places : 64-bit keys of all groups, ascending, and their folds, where few rows have balanced
        groups, as scikit-learn's ``GroupKFold`` has them; empty for a hash.
    """

    kind: str = "hash"
    k: int = 5
    seed: int = 0
    rows: int | None = None
    column: str | None = None
    labels: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    places: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_option("fold rule", self.kind, KINDS)
        if not 1 <= self.k <= 10_000:
            raise UsageError(f"the number of folds must be between 1 and 10000, got {self.k}")
        if self.kind in ("balanced", "contiguous") and self.rows is None:
            raise UsageError(
                f"{self.kind} folds need the number of rows beforehand, which these files do not say: use hash"
            )
        if self.kind in ("group", "column") and self.column is None:
            raise UsageError(f"{self.kind} folds need the name of a column")
        if self.kind == "column" and len(self.labels) != self.k:
            raise UsageError(
                f"a fold column with {self.k} folds needs {self.k} labels, got {len(self.labels)}"
            )

    @classmethod
    def choose(cls, k: int = 5, seed: int = 0, rows: int | None = None) -> FoldRule:
        """Balanced below 100 000 rows, where chance would show; hash above, or if rows are unknown."""
        small = rows is not None and rows < BALANCED_BELOW
        return cls("balanced" if small and k > 1 else "hash", k, seed, rows)

    @classmethod
    def of_column(cls, column: str, values: Sequence[str]) -> FoldRule:
        """One fold per distinct value of a column, ordered as numbers if all are numbers, else as text."""
        names = sorted(set(values))
        with contextlib.suppress(ValueError):
            names.sort(key=float)
        if len(names) < 2:
            raise DataError(
                f"fold column {column!r} has one value: cross-validation needs at least two folds"
            )
        return cls("column", len(names), column=column, labels=tuple(names))

    @classmethod
    def of_groups(cls, column: str, groups: np.ndarray, k: int, seed: int = 0) -> FoldRule:
        """Balanced folds of few rows: the largest group to the emptiest fold, as in memory. groups (n,) uint64."""
        folds = fold_ids(groups.size, k, seed=seed, groups=groups)
        keys, first = np.unique(groups, return_index=True)
        return cls("group", k, seed, None, column, (), tuple(keys.tolist()), tuple(folds[first].tolist()))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FoldRule:
        """Of plain values."""
        lists = {n: tuple(data.get(n, ())) for n in ("labels", "keys", "places")}
        return cls(**{**data, **lists})

    @property
    def sentence(self) -> str:
        """The rule in words."""
        if self.k == 1:
            return "no folds"
        return {
            "hash": f"{self.k} random folds by hash of the row number (seed {self.seed})",
            "balanced": f"{self.k} balanced random folds (seed {self.seed})",
            "group": f"{self.k} folds by hash of column {self.column!r} (seed {self.seed})"
            if not self.keys
            else f"{self.k} folds of whole groups of column {self.column!r}, as even as they can be",
            "column": f"{self.k} folds given by column {self.column!r}",
            "contiguous": f"{self.k} contiguous folds in row order",
        }[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {n: list(getattr(self, n)) for n in ("labels", "keys", "places")}

    def by_row(self, first_row: int, count: int) -> np.ndarray:
        """(count,) folds of rows first_row, first_row + 1, …, for the rules of the row number."""
        if self.k == 1:
            return np.zeros(count, dtype=np.int64)
        if self.kind == "hash":
            return row_folds(first_row, count, self.k, self.seed)
        total = self.rows or 0
        if first_row + count > total:
            raise DataError(
                f"{total} rows were counted, and there are more: the file has changed; start again"
            )
        if self.kind == "balanced":
            return _balanced(total, self.k, self.seed)[first_row : first_row + count]
        ends = np.cumsum(total // self.k + (np.arange(self.k) < total % self.k))
        return np.searchsorted(ends, np.arange(first_row, first_row + count), side="right")

    def by_group(self, keys: np.ndarray) -> np.ndarray:
        """(n,) folds of 64-bit keys that depend on the group's label alone."""
        if not self.keys:
            return hash_folds(keys, self.k, self.seed)
        known = np.array(self.keys, dtype=np.uint64)
        at = np.minimum(np.searchsorted(known, keys), known.size - 1)
        if not np.array_equal(known[at], keys):
            raise DataError(
                f"column {self.column!r} has a group that was not counted: the file has changed; start again"
            )
        return np.array(self.places)[at]

    def by_label(self, codes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """(n,) folds of codes into a list of the fold column's values."""
        place = {label: i for i, label in enumerate(self.labels)}
        table = np.array([place.get(label, -1) for label in labels], dtype=np.int64)
        folds = table[codes]
        if (folds < 0).any():
            new = labels[int(codes[np.argmax(folds < 0)])]
            raise DataError(
                f"fold column {self.column!r} has the new value {new!r}: its folds were {self.labels}"
            )
        return folds


@lru_cache(maxsize=2)
def _balanced(rows: int, k: int, seed: int) -> np.ndarray:
    return balanced_folds(rows, k, seed)
