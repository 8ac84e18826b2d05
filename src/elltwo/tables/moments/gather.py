"""The pass: blocks of rows in, mixed moments out. Nothing here grows with the number of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from elltwo.errors import DataError, InputError
from elltwo.tables.moments.levels import MAX_LEVELS, Book
from elltwo.tables.moments.mixed import MixedMoments, add_slots

FLUSH_ROWS = 262_144  # level codes are kept this long before they enter the contingency tables


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
        self.books = [Book(name, cap) for name in self.categories]
        self.sums = [np.zeros((folds, 1, 1 + d)) for _ in self.categories]
        C = len(self.categories)
        self.cross = {(a, b): np.zeros((folds, 1, 1)) for a in range(C) for b in range(a + 1, C)}
        self._buffer = np.empty((0, 0))
        self._kept: list[tuple[np.ndarray, list[np.ndarray], np.ndarray | None]] = []
        self._kept_rows = 0

    def add(
        self,
        numbers: np.ndarray,
        codes: Sequence[np.ndarray] = (),
        labels: Sequence[Sequence[str]] = (),
        folds: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        more: np.ndarray | None = None,
    ) -> None:
        """Add a block of rows.

        Parameters
        ----------
        numbers : (n, d) float64, NaN where missing; column-major is quickest.
        codes : per category (n,) integers into its ``labels``; −1 is missing, −2 a level
            that the reader gave no code (it counts as "other").
        labels : per category, what this block's codes mean.
        folds : (n,) fold numbers, or None for one fold.
        weights : (n,) nonnegative, or None.
        more : (n, t) further number columns (targets) that stand after ``numbers``, or None.

        Raises
        ------
        DataError
            Infinite numbers, or numbers whose squares overflow.
        """
        n = numbers.shape[0]
        if n == 0:
            return
        order, ends = self._by_fold(n, folds)
        root = None if weights is None else np.sqrt(weights if order is None else weights[order])
        columns = [numbers.T] if more is None or not more.shape[1] else [numbers.T, more.T]
        v = self._add_dense(columns, order, root, ends)
        self.rows += np.diff(ends, prepend=0)
        if self.books:
            fold_of = np.repeat(np.arange(self.folds), np.diff(ends, prepend=0))
            self._add_levels(np.ascontiguousarray(v.T), order, fold_of, codes, labels, root)

    def _by_fold(self, n: int, folds: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray]:
        """Row order that sorts by fold, and where each fold ends in it."""
        if folds is None or self.folds == 1:
            return None, np.array([n] + [n] * (self.folds - 1))
        order = np.argsort(folds.astype(np.uint16), kind="stable")  # 16 bits: NumPy sorts them by radix
        return order, np.cumsum(np.bincount(folds, minlength=self.folds))

    def _add_dense(
        self, columns: list[np.ndarray], order: np.ndarray | None, root: np.ndarray | None, ends: np.ndarray
    ) -> np.ndarray:
        """Add Σ v vᵀ of v = √w [1 | x − c | flags] for columns (d₁, n), (d₂, n); returns v (D, n)."""
        self._settle_shift(columns)
        v = self._rows(columns, order, root)
        grams = self._grams(v, ends)
        if not np.isfinite(grams[:, range(v.shape[0]), range(v.shape[0])].sum()):
            self._flag_missing(np.concatenate(columns))
            v = self._rows(columns, order, root)
            grams = self._grams(v, ends)
        self.dense += grams
        return v

    def _settle_shift(self, columns: list[np.ndarray]) -> None:
        """Fix c for columns that have their first present value in this block: its mean there."""
        if self._shifted.all():
            return
        for j, column in enumerate(column for part in columns for column in part):
            if self._shifted[j]:
                continue
            present = column[~np.isnan(column)]
            if present.size and np.isfinite(present).all():
                constant = present[0] == present.min() == present.max()
                self.shift[j] = present[0] if constant else present.mean()
                self._shifted[j] = np.isfinite(self.shift[j])

    def _rows(
        self, columns: list[np.ndarray], order: np.ndarray | None, root: np.ndarray | None
    ) -> np.ndarray:
        """v (D, n) in the order of the folds, in a buffer that every block uses again."""
        d, n = len(self.numeric), columns[0].shape[1]
        if self._buffer.shape != (1 + d + len(self.flagged), n):
            self._buffer = np.empty((1 + d + len(self.flagged), n))
        v, x, at = self._buffer, self._buffer[1 : 1 + d], 0
        v[0] = 1.0
        for part in columns:
            here = x[at : at + len(part)]
            if order is None:
                np.subtract(part, self.shift[at : at + len(part), None], out=here)
            else:
                np.take(
                    part, order, axis=1, out=here, mode="clip"
                )  # "clip" lets NumPy write into it directly
                here -= self.shift[at : at + len(part), None]
            at += len(part)
        for i, j in enumerate(self.flagged):
            missing = np.isnan(x[j])
            v[1 + d + i] = missing
            x[j][missing] = 0.0
        if root is not None:
            v *= root
        return v

    def _grams(self, v: np.ndarray, ends: np.ndarray) -> np.ndarray:
        out = np.zeros((self.folds, v.shape[0], v.shape[0]))
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
        for c, old in enumerate(self.sums):
            self.sums[c] = np.zeros((*old.shape[:2], D))
            self.sums[c][:, :, at] = old

    def _add_levels(
        self,
        dense: np.ndarray,
        order: np.ndarray | None,
        fold_of: np.ndarray,
        codes: Sequence[np.ndarray],
        labels: Sequence[Sequence[str]],
        root: np.ndarray | None,
    ) -> None:
        slots = []
        for c, book in enumerate(self.books):
            slot = book.encode(np.asarray(codes[c]), labels[c])
            slots.append(slot if order is None else slot[order])
            self._add_sums(c, slots[c], dense, fold_of, root)
        self._kept.append((fold_of, slots, None if root is None else root * root))
        self._kept_rows += fold_of.size
        for c, book in enumerate(self.books):
            if book.overfull:
                self._cut(c)
        if self._kept_rows >= FLUSH_ROWS:
            self._flush()

    def _add_sums(
        self, c: int, slot: np.ndarray, dense: np.ndarray, fold_of: np.ndarray, root: np.ndarray | None
    ) -> None:
        """Sums by level: a product with the sparse 0/1 matrix that has one entry per row."""
        n, size = slot.size, self.books[c].size
        if self.sums[c].shape[1] < size:  # no room to spare: the product below fills every slot it finds
            self.sums[c] = exactly(self.sums[c], (self.folds, size, dense.shape[1]))
        entries = (np.ones(n) if root is None else root, fold_of * size + slot, np.arange(n + 1))
        pick = sparse.csc_array(entries, shape=(self.folds * size, n))
        self.sums[c] += (pick @ dense).reshape(self.sums[c].shape)

    def _cut(self, c: int) -> None:
        """A dictionary past its headroom keeps its most frequent levels; codes in waiting follow."""
        book = self.books[c]
        size = book.size
        to = book.cut(self.sums[c][:, :size, 0].sum(axis=0))
        self.sums[c] = add_slots(self.sums[c][:, :size], to, book.size, 1)
        for pair, table in self.cross.items():
            if c in pair:
                axis = 1 + pair.index(c)
                known = min(size, table.shape[axis])
                part = np.take(table, range(known), axis=axis)
                self.cross[pair] = add_slots(part, to[:known], book.size, axis)
        self._kept = [(f, [to[s] if i == c else s for i, s in enumerate(ss)], w) for f, ss, w in self._kept]

    def _flush(self) -> None:
        """Contingency tables of the rows in waiting, one bincount per pair of categories."""
        if not self._kept:
            return
        fold = np.concatenate([f for f, _, _ in self._kept])
        slots = [np.concatenate([ss[c] for _, ss, _ in self._kept]) for c in range(len(self.books))]
        weights = None if self._kept[0][2] is None else np.concatenate([w for _, _, w in self._kept])  # type: ignore[arg-type]  # all or none
        for (a, b), table in self.cross.items():
            table = grown(table, (self.folds, self.books[a].size, self.books[b].size))
            _, A, B = table.shape
            counts = np.bincount((fold * A + slots[a]) * B + slots[b], weights, minlength=table.size)
            self.cross[a, b] = table + counts.reshape(table.shape)
        self._kept, self._kept_rows = [], 0

    def result(self, left_out: int = 0) -> MixedMoments:
        """The moments of all rows added so far; ``left_out`` rows are only counted."""
        self._flush()
        sizes = [book.size for book in self.books]
        return MixedMoments(
            self.numeric,
            self.categories,
            self.cap,
            tuple(self.flagged),
            tuple(book.levels for book in self.books),
            self.shift.copy(),
            self.rows.copy(),
            self.dense.copy(),
            tuple(
                exactly(t, (self.folds, s, self.dense.shape[1]))
                for t, s in zip(self.sums, sizes, strict=True)
            ),
            {(a, b): exactly(t, (self.folds, sizes[a], sizes[b])) for (a, b), t in self.cross.items()},
            left_out,
        )


def grown(table: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The table with room for ``shape``; sizes at least double so that growth is rare."""
    if all(have >= want for have, want in zip(table.shape, shape, strict=True)):
        return table
    room = tuple(
        have if have >= want else max(want, min(2 * have, want + 4096))
        for have, want in zip(table.shape, shape, strict=True)
    )
    return exactly(table, room)


def exactly(table: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The table cut or filled with zeros to ``shape``."""
    out = np.zeros(shape)
    common = tuple(slice(0, min(a, b)) for a, b in zip(table.shape, shape, strict=True))
    out[common] = table[common]
    return out
