"""Second moments of mixed columns, per fold: numbers with missing flags, categories without one-hot rows.

A row is u = [1 | x − c, missing as 0 | missing flags | 0/1 of every level], and what is kept is
Σ w u uᵀ per fold, in the blocks that are cheap to make: dense × dense, level × dense (sums by level)
and level × level (contingency tables). Targets are columns like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.errors import DataError
from elltwo.tables.moments.levels import HEADROOM, MAX_LEVELS, Levels, cut, union


@dataclass(frozen=True)
class MixedMoments:
    """Per fold Σ w u uᵀ of rows u of numbers, missing flags and category levels.

    Attributes
    ----------
    numeric : names of the d number columns, targets included.
    categories : names of the category columns.
    cap : most levels a category is meant to have.
    flagged : positions of the numeric columns that have had a missing value, ascending.
    levels : per category, what its slots mean.
    shift : (d,) exact shift c of the number columns.
    rows : (K,) rows per fold, whatever their weight.
    dense : (K, D, D) with D = 1 + d + flags, in the order [1 | x − c | flags].
    sums : per category (K, slots, D), Σ w [level] [1 | x − c | flags].
    cross : for categories a < b, (K, slots of a, slots of b), Σ w [level a] [level b].
    left_out : rows that were left out because a target was missing.
    """

    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    cap: int
    flagged: tuple[int, ...]
    levels: tuple[Levels, ...]
    shift: np.ndarray
    rows: np.ndarray
    dense: np.ndarray
    sums: tuple[np.ndarray, ...]
    cross: dict[tuple[int, int], np.ndarray]
    left_out: int = 0

    @property
    def folds(self) -> int:
        return self.rows.size

    @property
    def count(self) -> int:
        """Rows in all folds."""
        return int(self.rows.sum())

    @property
    def weight(self) -> np.ndarray:
        """(K,) Σw per fold."""
        return self.dense[:, 0, 0]

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self.dense, *self.sums, *self.cross.values()))

    @property
    def dense_width(self) -> int:
        """D: the constant, the numbers and the flags."""
        return 1 + len(self.numeric) + len(self.flagged)

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each category's slots begin in u; a last entry gives the length of u."""
        ends = self.dense_width + np.cumsum([0, *(level.size for level in self.levels)])
        return tuple(int(e) for e in ends)


def empty(
    numeric: tuple[str, ...], categories: tuple[str, ...], folds: int, cap: int = MAX_LEVELS
) -> MixedMoments:
    """The moments of no rows: what every merge leaves unchanged."""
    D, C = 1 + len(numeric), len(categories)
    return MixedMoments(
        numeric,
        categories,
        cap,
        (),
        tuple(Levels() for _ in categories),
        np.zeros(len(numeric)),
        np.zeros(folds, dtype=np.int64),
        np.zeros((folds, D, D)),
        tuple(np.zeros((folds, 1, D)) for _ in categories),
        {(a, b): np.zeros((folds, 1, 1)) for a in range(C) for b in range(a + 1, C)},
    )


def merge_mixed(a: MixedMoments, b: MixedMoments) -> MixedMoments:
    """Moments of the rows of both: about a's shift, levels merged by label.

    Raises
    ------
    DataError
        Different columns, folds or caps; the message names the difference.
    """
    check_same_columns(a, b)
    if b.count == 0 or a.count == 0:
        return replace(b if a.count == 0 else a, left_out=a.left_out + b.left_out)
    flagged = tuple(sorted({*a.flagged, *b.flagged}))
    a, b = with_flags(a, flagged), reshift_mixed(with_flags(b, flagged), a.shift)
    joined = [union(x, y, n) for x, y, n in zip(a.levels, b.levels, a.categories, strict=True)]
    levels = tuple(j[0] for j in joined)
    a = with_slots(a, levels, [j[1] for j in joined])
    b = with_slots(b, levels, [j[2] for j in joined])
    merged = replace(
        a,
        rows=a.rows + b.rows,
        dense=a.dense + b.dense,
        sums=tuple(x + y for x, y in zip(a.sums, b.sums, strict=True)),
        cross={pair: table + b.cross[pair] for pair, table in a.cross.items()},
        left_out=a.left_out + b.left_out,
    )
    return capped(merged, HEADROOM)


def check_same_columns(a: MixedMoments, b: MixedMoments) -> None:
    """Refuse to merge moments of different columns, folds or caps, naming the difference."""
    for kind, mine, other in (("number", a.numeric, b.numeric), ("category", a.categories, b.categories)):
        if mine != other:
            lost, new = sorted(set(mine) - set(other)), sorted(set(other) - set(mine))
            what = "; ".join(
                [f"only the first has {kind} {n!r}" for n in lost[:3]]
                + [f"only the second has {kind} {n!r}" for n in new[:3]]
            )
            raise DataError(
                f"these moments have different columns: {what or 'the same names in another order'}"
            )
    if a.folds != b.folds:
        raise DataError(f"these moments have different folds: {a.folds} and {b.folds}")
    if a.cap != b.cap:
        raise DataError(f"these moments have different caps on levels: {a.cap} and {b.cap}")


def reshift_mixed(m: MixedMoments, shift: np.ndarray) -> MixedMoments:
    """The same moments about another shift.

    A present x moves by δ = c − c'; a missing one stays 0. So x' = x + δ(1 − flag): row j of the
    Gram gains δⱼ (row of 1 − row of flag j), then its columns do.
    """
    delta = m.shift - shift
    if not delta.any():
        return m
    d = delta.size
    partner = np.zeros(d, dtype=np.intp)  # column of flag j, or 0 where there is none
    partner[list(m.flagged)] = 1 + d + np.arange(len(m.flagged))
    unflagged = (partner == 0)[:, None]

    def moved(table: np.ndarray) -> np.ndarray:  # (..., D) -> the same with its x columns moved
        out = table.copy()
        flags = np.where(unflagged.T[0], 0.0, table[..., partner])
        out[..., 1 : 1 + d] += delta * (table[..., :1] - flags)
        return out

    dense = moved(np.swapaxes(moved(m.dense), 1, 2))
    return replace(
        m, shift=shift, dense=(dense + np.swapaxes(dense, 1, 2)) / 2, sums=tuple(map(moved, m.sums))
    )


def with_flags(m: MixedMoments, flagged: tuple[int, ...]) -> MixedMoments:
    """The same moments with (empty) flags for more columns."""
    if flagged == m.flagged:
        return m
    d = len(m.numeric)
    at = np.array([*range(1 + d), *(1 + d + flagged.index(j) for j in m.flagged)], dtype=np.intp)
    D = 1 + d + len(flagged)
    dense = np.zeros((m.folds, D, D))
    dense[:, at[:, None], at] = m.dense
    sums = []
    for old in m.sums:
        new = np.zeros((*old.shape[:2], D))
        new[:, :, at] = old
        sums.append(new)
    return replace(m, flagged=flagged, dense=dense, sums=tuple(sums))


def with_slots(m: MixedMoments, levels: tuple[Levels, ...], maps: list[np.ndarray]) -> MixedMoments:
    """The same moments with levels moved to other slots; slots that meet are added."""
    sums = tuple(
        add_slots(table, to, level.size, axis=1)
        for table, to, level in zip(m.sums, maps, levels, strict=True)
    )
    cross = {
        (a, b): add_slots(add_slots(table, maps[a], levels[a].size, 1), maps[b], levels[b].size, 2)
        for (a, b), table in m.cross.items()
    }
    return replace(m, levels=levels, sums=sums, cross=cross)


def add_slots(table: np.ndarray, to: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Move entry i along ``axis`` to slot to[i], adding where several meet."""
    if size == to.size and np.array_equal(to, np.arange(size)):
        return table
    moved = np.zeros((size, *np.delete(table.shape, axis)))
    np.add.at(moved, to, np.moveaxis(table, axis, 0))
    return np.ascontiguousarray(np.moveaxis(moved, 0, axis))


def capped(m: MixedMoments, headroom: int = 1) -> MixedMoments:
    """Cut every category with more than ``headroom`` × cap levels to its cap most frequent."""
    if all(len(level.labels) <= headroom * m.cap for level in m.levels):
        return m
    levels, maps = [], []
    for level, table, name in zip(m.levels, m.sums, m.categories, strict=True):
        if len(level.labels) <= headroom * m.cap:
            kept, to = level, np.arange(level.size)
        else:
            kept, to = cut(level, table[:, :, 0].sum(axis=0), m.cap, name)
        levels.append(kept)
        maps.append(to)
    return with_slots(m, tuple(levels), maps)
