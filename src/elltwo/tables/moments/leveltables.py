"""What a pass keeps of categories: sums by level and contingency tables, which grow with the dictionaries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import _sparsetools

from elltwo.tables.moments.levels import Book, Levels
from elltwo.tables.moments.mixed import add_slots

CACHED = 2**19  # bytes of rows that are turned and added together: they stay in the second-level cache
SPARE_SUMS, SPARE_CROSS = 256, 4096  # slots at most that a table makes room for beside those it needs


class LevelTables:
    """Σ w [level] [1 | x − c | flags] and Σ w [level a] [level b] of blocks of rows, fold by fold.

    Parameters
    ----------
    names : the categories.
    folds : number of folds.
    cap : most levels kept per category.
    width : D, the length of [1 | x − c | flags].
    """

    def __init__(self, names: Sequence[str], folds: int, cap: int, width: int) -> None:
        self.folds = folds
        self.books = [Book(name, cap) for name in names]
        self.sums = [np.zeros((folds, 1, width)) for _ in names]
        self._turned = np.empty((0, 0))
        C = len(self.books)
        self.cross = {(a, b): np.zeros((folds, 1, 1)) for a in range(C) for b in range(a + 1, C)}

    def add(
        self,
        codes: Sequence[np.ndarray],
        labels: Sequence[Sequence[str]],
        order: np.ndarray | None,
        fold_of: np.ndarray,
        v: np.ndarray,
        root: np.ndarray | None,
    ) -> None:
        """Add rows v (D, n), whose folds are ``fold_of`` and whose levels are codes[c][order]."""
        slots = []
        for book, code, label in zip(self.books, codes, labels, strict=True):
            slot = book.encode(np.asarray(code), label)
            slots.append(slot if order is None else slot.take(order, mode="clip"))
        self._add_sums(slots, fold_of, v, root)
        for c, book in enumerate(self.books):
            if book.overfull:
                slots[c] = self._cut(c)[slots[c]]
        self._add_cross(slots, fold_of, None if root is None else root * root)

    def _add_sums(
        self, slots: list[np.ndarray], fold_of: np.ndarray, v: np.ndarray, root: np.ndarray | None
    ) -> None:
        (D, n), places = v.shape, []
        for c, slot in enumerate(slots):
            self.sums[c] = grown(self.sums[c], (self.folds, self.books[c].size, D), SPARE_SUMS)
            places.append(fold_of * self.sums[c].shape[1] + slot)
        step = max(1, CACHED // (8 * D))
        if self._turned.shape != (step, D):
            self._turned = np.empty((step, D))
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            rows = self._turned[: part.stop - start]
            np.copyto(rows, v[:, part].T)
            for place, table in zip(places, self.sums, strict=True):
                add_rows(table.reshape(-1, D), place[part], rows, None if root is None else root[part])

    def _add_cross(self, slots: list[np.ndarray], fold_of: np.ndarray, weights: np.ndarray | None) -> None:
        entries = np.ones(fold_of.size) if weights is None else weights
        places: dict[tuple[int, int], np.ndarray] = {}
        for (a, b), table in self.cross.items():
            table = grown(table, (self.folds, self.books[a].size, self.books[b].size), SPARE_CROSS)
            A, B = table.shape[1:]
            if (a, A) not in places:
                places[a, A] = fold_of * A + slots[a]
            add_entries(table.reshape(-1, B), places[a, A], slots[b], entries)
            self.cross[a, b] = table

    def _cut(self, c: int) -> np.ndarray:
        """A dictionary past its headroom keeps its most frequent levels; returns where every slot went."""
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
        return to

    def widen(self, at: np.ndarray, width: int) -> None:
        """Columns of the sums move to ``at`` among ``width``, whose others are new."""
        for c, old in enumerate(self.sums):
            self.sums[c] = np.zeros((*old.shape[:2], width))
            self.sums[c][:, :, at] = old

    def result(self) -> tuple[tuple[Levels, ...], tuple[np.ndarray, ...], dict[tuple[int, int], np.ndarray]]:
        """Levels, sums and contingency tables, without spare slots."""
        K, sizes = self.folds, [book.size for book in self.books]
        return (
            tuple(book.levels for book in self.books),
            tuple(exactly(t, (K, s, t.shape[2])) for t, s in zip(self.sums, sizes, strict=True)),
            {(a, b): exactly(t, (K, sizes[a], sizes[b])) for (a, b), t in self.cross.items()},
        )


def add_rows(
    sums: np.ndarray, slots: np.ndarray, rows: np.ndarray, weights: np.ndarray | None = None
) -> None:
    """sums[slots[i]] += weights[i] rows[i], one row after the other.

    SciPy's kernel is called below its public product, which fills a new (S, D) array at every call: where
    a block has about as many rows as there are slots, that costs as much as the additions.

    Parameters
    ----------
    sums : (S, D) float64, C-contiguous; changed in place.
    slots : (n,) intp from 0 to S − 1.
    rows : (n, D) float64, C-contiguous.
    weights : (n,) or None for ones.
    """
    n, D = rows.shape
    entries = np.ones(n) if weights is None else weights
    starts = np.arange(n + 1, dtype=slots.dtype)
    _sparsetools.csc_matvecs(len(sums), n, D, starts, slots, entries, rows.reshape(-1), sums.reshape(-1))


def add_entries(table: np.ndarray, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
    """table[rows[i], columns[i]] += values[i], one entry after the other.

    SciPy's kernel makes no index of its own, as ``numpy.add.at`` on two indices does.

    Parameters
    ----------
    table : (S, T) float64, C-contiguous; changed in place.
    rows, columns : (n,) intp.
    values : (n,) float64.
    """
    _sparsetools.coo_todense(*table.shape, rows.size, rows, columns, values, table.reshape(-1), 0)


def grown(table: np.ndarray, shape: tuple[int, ...], spare: int) -> np.ndarray:
    """The table with room for ``shape``; sizes at least double, up to ``spare`` more, so that growth is rare."""
    if all(have >= want for have, want in zip(table.shape, shape, strict=True)):
        return table
    room = tuple(
        have if have >= want else max(want, min(2 * have, want + spare))
        for have, want in zip(table.shape, shape, strict=True)
    )
    return exactly(table, room)


def exactly(table: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The table cut or filled with zeros to ``shape``."""
    out = np.zeros(shape)
    common = tuple(slice(0, min(a, b)) for a, b in zip(table.shape, shape, strict=True))
    out[common] = table[common]
    return out
