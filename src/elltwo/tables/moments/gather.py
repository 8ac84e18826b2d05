"""The pass: blocks of rows in, mixed moments out. Nothing here grows with the number of rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from elltwo.errors import DataError, InputError
from elltwo.tables.moments.levels import MAX_LEVELS
from elltwo.tables.moments.leveltables import CACHED, LevelTables
from elltwo.tables.moments.mixed import MixedMoments

LINE, PAGE = 8, 512  # doubles of a cache line, and of a page: lines as far apart share a place in the cache


class Gatherer:
    """Accumulates the mixed moments of blocks of rows, fold by fold.

    Parameters
    ----------
    numeric, categories : column names, in the order in which blocks bring them.
    folds : number of folds.
    cap : most levels kept per category.
    """

    def __init__(
        self, numeric: Sequence[str], categories: Sequence[str] = (), folds: int = 1, cap: int = MAX_LEVELS
    ) -> None:
        self.numeric, self.categories, self.folds, self.cap = tuple(numeric), tuple(categories), folds, cap
        d = len(self.numeric)
        self.shift, self._shifted = np.zeros(d), np.zeros(d, dtype=bool)
        self.flagged: list[int] = []
        self.rows = np.zeros(folds, dtype=np.int64)
        self.dense = np.zeros((folds, 1 + d, 1 + d))
        self.tables = LevelTables(self.categories, folds, cap, 1 + d)
        self._buffer, self._found = np.empty((0, 0)), np.empty((folds, 0, 0))

    def add(
        self,
        numbers: np.ndarray | Sequence[np.ndarray],
        codes: Sequence[np.ndarray] = (),
        labels: Sequence[Sequence[str]] = (),
        folds: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        """Add a block of rows.

        Parameters
        ----------
        numbers : (n, d) float64, NaN where missing, or its d columns (n,), which is quickest.
        codes : per category (n,) integers into its ``labels``; −1 is missing, −2 a level
            that the reader gave no code (it counts as "other").
        labels : per category, what this block's codes mean.
        folds : (n,) fold numbers, or None for one fold.
        weights : (n,) nonnegative, or None.

        Raises
        ------
        DataError
            Infinite numbers, or numbers whose squares overflow.
        """
        columns = list(numbers.T if isinstance(numbers, np.ndarray) else numbers)
        n = numbers.shape[0] if isinstance(numbers, np.ndarray) else len((*columns, *codes)[0])
        if n == 0:
            return
        order, ends = self._by_fold(n, folds)
        root = None if weights is None else np.sqrt(weights if order is None else weights[order])
        v = self._add_dense(columns, order, root, ends)
        self.rows += np.diff(ends, prepend=0)
        if self.categories:
            fold_of = np.repeat(np.arange(self.folds), np.diff(ends, prepend=0))
            self.tables.add(codes, labels, order, fold_of, v, root)

    def _by_fold(self, n: int, folds: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray]:
        """Row order that sorts by fold, and where each fold ends in it."""
        if folds is None or self.folds == 1:
            return None, np.array([n] + [n] * (self.folds - 1))
        order = np.argsort(folds.astype(np.uint16), kind="stable")  # 16 bits: NumPy sorts them by radix
        return order, np.cumsum(np.bincount(folds, minlength=self.folds))

    def _add_dense(
        self, columns: list[np.ndarray], order: np.ndarray | None, root: np.ndarray | None, ends: np.ndarray
    ) -> np.ndarray:
        """Add Σ v vᵀ of v = √w [1 | x − c | flags] for d columns (n,); returns v (D, n)."""
        self._settle_shift(columns)
        v = self._rows(columns, order, root, int(ends[-1]))
        grams = self._grams(v, ends)
        if not np.isfinite(grams[:, range(v.shape[0]), range(v.shape[0])].sum()):
            self._flag_missing(np.stack(columns))
            v = self._rows(columns, order, root, int(ends[-1]))
            grams = self._grams(v, ends)
        self.dense += grams
        return v

    def _settle_shift(self, columns: list[np.ndarray]) -> None:
        """Fix c for columns that have their first present value in this block: its mean there."""
        if self._shifted.all():
            return
        with np.errstate(over="ignore", invalid="ignore"):
            for j in np.flatnonzero(~self._shifted):
                column = columns[j]
                mean = column.mean()
                if not np.isfinite(mean):
                    column = column[~np.isnan(column)]
                    mean = column.mean() if column.size else np.nan
                if np.isfinite(mean):
                    constant = column[0] == column[-1] and column[0] == column.min() == column.max()
                    self.shift[j], self._shifted[j] = column[0] if constant else mean, True

    def _rows(
        self, columns: list[np.ndarray], order: np.ndarray | None, root: np.ndarray | None, n: int
    ) -> np.ndarray:
        """v (D, n) in the order of the folds, in a buffer that every block uses again.

        A few columns at a time, which stay in the cache until they are done.
        """
        v, step = self._room(n), max(1, CACHED // (8 * n))
        v[0] = 1.0
        for first in range(0, len(columns), step):
            some = columns[first : first + step]
            for j, column in enumerate(some, first):
                self._shift_row(column, order, j, v[1 + j])
            self._flag(v, first, first + len(some))
        if root is not None:
            with np.errstate(invalid="ignore"):  # an infinity of no weight, which the sums show
                v *= root
        return v

    def _room(self, n: int) -> np.ndarray:
        """(D, n) of the buffer. Its rows are an odd number of cache lines apart: powers of two would collide."""
        D = 1 + len(self.numeric) + len(self.flagged)
        if self._buffer.shape[0] != D or self._buffer.shape[1] < n:
            self._buffer, self._found = np.empty((D, n + (LINE - n) % PAGE)), np.empty((self.folds, D, D))
        return self._buffer[:, :n]

    def _shift_row(self, column: np.ndarray, order: np.ndarray | None, j: int, out: np.ndarray) -> None:
        """Column j in the order of the folds, less its shift."""
        if order is None:
            np.subtract(column, self.shift[j], out=out)
        else:
            np.take(column, order, out=out, mode="clip")  # "clip" lets NumPy write into it directly
            out -= self.shift[j]

    def _flag(self, v: np.ndarray, first: int, end: int) -> None:
        """Missing values of flagged columns among first, …, end − 1 become 0 and a flag; others stay NaN."""
        a, b = bisect_left(self.flagged, first), bisect_left(self.flagged, end)
        if a == b:
            return
        x, here = v[1 + first : 1 + end], np.array(self.flagged[a:b]) - first
        missing = np.isnan(x)
        if b - a < end - first:
            missing[np.isin(np.arange(end - first), here, invert=True)] = False
        flags = 1 + len(self.numeric)
        v[flags + a : flags + b] = missing[here]
        x[missing] = 0.0

    def _grams(self, v: np.ndarray, ends: np.ndarray) -> np.ndarray:
        out = self._found
        out.fill(0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            start = 0
            for k, end in enumerate(ends):
                if end > start:
                    part = v[:, start:end]
                    np.matmul(part, part.T, out=out[k])  # NumPy recognises AAᵀ and calls SYRK
                start = end
        return out

    def _flag_missing(self, columns: np.ndarray) -> None:
        """Give a flag to every column that shows its first missing value, or say what is wrong."""
        infinite = np.isinf(columns)
        if infinite.any():
            j, i = (int(a[0]) for a in np.nonzero(infinite))
            raise DataError(
                f"column {self.numeric[j]!r} has {int(infinite[j].sum())} infinite values in one block "
                f"(the first is {columns[j, i]}): replace them, or list their spelling as missing (--na)"
            )
        new = sorted({*self.flagged, *np.flatnonzero(np.isnan(columns).any(axis=1)).tolist()})
        if new == self.flagged:
            largest = np.nanmax(np.abs(columns), axis=1, initial=0.0)
            worst = int(np.argmax(largest))
            raise InputError(
                f"column {self.numeric[worst]!r} reaches {largest[worst]:.3g}, whose square overflows: "
                f"divide it by a power of ten"
            )
        self._widen(new)

    def _widen(self, flagged: list[int]) -> None:
        d = len(self.numeric)
        at = np.array([*range(1 + d), *(1 + d + flagged.index(j) for j in self.flagged)], dtype=np.intp)
        D = 1 + d + len(flagged)
        dense = np.zeros((self.folds, D, D))
        dense[:, at[:, None], at] = self.dense
        self.dense, self.flagged = dense, flagged
        self.tables.widen(at, D)

    def result(self, left_out: int = 0) -> MixedMoments:
        """The moments of all rows added so far; ``left_out`` rows are only counted."""
        levels, sums, cross = self.tables.result()
        return MixedMoments(
            self.numeric,
            self.categories,
            self.cap,
            tuple(self.flagged),
            levels,
            self.shift.copy(),
            self.rows.copy(),
            self.dense.copy(),
            sums,
            cross,
            left_out,
        )
