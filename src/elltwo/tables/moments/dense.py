"""Moments of rows in one pass: made in blocks, merged and subtracted exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from elltwo.facts.moments import DesignMoments, Moments
from elltwo.facts.spectrum import block_rows

# A column whose mean is within this many standard deviations of zero needs no shift: the Gram
# matrix then loses at most a factor 1 + NEAR² of eps.
NEAR = 2.0
SIDE_BY_SIDE = (
    8  # targets, beyond an eighth of the columns, whose products with each other are not worth forming
)


def moments(X: np.ndarray, weights: np.ndarray | None = None, shift: np.ndarray | None = None) -> Moments:
    """Moments of the rows of X (n, P): Σw, Σw(x−c), Σw(x−c)(x−c)ᵀ.

    ``shift`` is c (P,); by default the first block's mean.
    """
    X = np.asarray(X, dtype=float)
    c = X[: block_rows(X.shape[1])].mean(axis=0) if shift is None else np.asarray(shift, dtype=float)
    first, second = np.zeros(X.shape[1]), np.zeros((X.shape[1],) * 2)
    for start in range(0, X.shape[0], block_rows(X.shape[1])):
        block = X[start : start + block_rows(X.shape[1])] - c
        scaled = block if weights is None else block * weights[start : start + block.shape[0], None]
        first += scaled.sum(axis=0)
        second += scaled.T @ block
    weight = float(X.shape[0] if weights is None else np.sum(weights))
    return Moments(X.shape[0], weight, c, first, (second + second.T) / 2)


def reshift(m: Moments, shift: np.ndarray) -> Moments:
    """The same moments about another shift; exact to rounding, since c − c' is one subtraction."""
    d = m.shift - shift
    outer = np.outer(m.first, d)
    return Moments(
        m.count,
        m.weight,
        shift,
        m.first + m.weight * d,
        m.second + outer + outer.T + m.weight * np.outer(d, d),
    )


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the rows of both, about a's shift."""
    if a.count == 0:
        return b
    b = b if np.array_equal(a.shift, b.shift) else reshift(b, a.shift)
    return Moments(a.count + b.count, a.weight + b.weight, a.shift, a.first + b.first, a.second + b.second)


def subtract(a: Moments, b: Moments) -> Moments:
    """Moments of the rows of a that are not in b."""
    b = b if np.array_equal(a.shift, b.shift) else reshift(b, a.shift)
    return Moments(a.count - b.count, a.weight - b.weight, a.shift, a.first - b.first, a.second - b.second)


def split(m: Moments, columns: np.ndarray, targets: np.ndarray) -> DesignMoments:
    """Choose which columns are the design and which the targets; y is just a column of the Gram."""
    return DesignMoments(
        m.count,
        m.weight,
        m.shift[columns],
        m.shift[targets],
        m.first[columns],
        m.first[targets],
        m.second[np.ix_(columns, columns)],
        m.second[np.ix_(columns, targets)],
        np.diagonal(m.second)[targets].copy(),
    )


def choose_shift(A: Any) -> np.ndarray | None:
    """The first block's mean if some column sits far from zero, else None (c = 0)."""
    if sparse.issparse(A):
        return None
    block = np.asarray(A[: block_rows(A.shape[1])], dtype=float)
    mean, sd = block.mean(axis=0), block.std(axis=0)
    return mean if np.any(np.abs(mean) > NEAR * sd) else None


def design_moments(
    A: Any,
    b: np.ndarray,
    weights: np.ndarray | None = None,
    folds: np.ndarray | None = None,
    shift: np.ndarray | None = None,
) -> list[DesignMoments]:
    """Moments of a design and its targets, one per fold, in one pass over the rows.

    Parameters
    ----------
    A : (n, p) array or sparse.
    b : (n, t).
    weights : (n,) or None.
    folds : (n,) integers 0..K−1 or None (one fold).
    shift : (p,) or None; see `choose_shift`.
    """
    folds = np.zeros(A.shape[0], dtype=np.intp) if folds is None else folds
    count = int(folds.max()) + 1 if folds.size else 1
    shift_y = b[: block_rows(A.shape[1])].mean(axis=0)
    sums = [_Sums(A.shape[1], b.shape[1]) for _ in range(count)]
    step = A.shape[0] if sparse.issparse(A) else _step(A.shape[1], b.shape[1], count)
    for start in range(0, A.shape[0], step):
        rows = slice(start, min(start + step, A.shape[0]))
        for fold, chosen in _by_fold(folds[rows], count):
            block = A[rows] if chosen is None else A[rows][chosen]
            y = (b[rows] if chosen is None else b[rows][chosen]) - shift_y
            w = None if weights is None else (weights[rows] if chosen is None else weights[rows][chosen])
            sums[fold].add(block, y, w, shift)
    c = np.zeros(A.shape[1]) if shift is None else shift
    return [s.result(c, shift_y) for s in sums]


def _step(p: int, t: int, folds: int) -> int:
    """Rows per block: enough of them that adding up (p, p) and (p, t) sums costs little beside the products."""
    half = 2 if folds == 1 else 1  # one fold's block stays in the second-level cache beside its copy
    return max(block_rows(p) // half, 4 * p, 4096 * folds if t > 64 else 0)


def _by_fold(folds: np.ndarray, count: int) -> list[tuple[int, slice | np.ndarray | None]]:
    """Each fold's rows in a block: None for all of them, a slice where they lie together, else their numbers."""
    if count == 1 or (folds.size and folds[0] == folds[-1] and np.all(folds == folds[0])):
        return [(int(folds[0]) if folds.size else 0, None)]
    out: list[tuple[int, slice | np.ndarray | None]] = []
    for k in range(count):
        chosen = np.flatnonzero(folds == k)
        if chosen.size:
            together = chosen[-1] - chosen[0] + 1 == chosen.size
            out.append((k, slice(chosen[0], chosen[-1] + 1) if together else chosen))
    return out


class _Sums:
    """Running sums of one fold."""

    def __init__(self, p: int, t: int) -> None:
        self.count, self.weight = 0, 0.0
        self.first_x, self.first_y = np.zeros(p), np.zeros(t)
        self.xx, self.xy, self.yy = np.zeros((p, p)), np.zeros((p, t)), np.zeros(t)
        self.joined = np.empty((0, p + t + 1))

    def add(self, block: Any, y: np.ndarray, w: np.ndarray | None, shift: np.ndarray | None = None) -> None:
        """Add the rows (x − c, y) of a block, with weights w."""
        self.count += block.shape[0]
        self.weight += block.shape[0] if w is None else float(w.sum())
        if not sparse.issparse(block) and y.shape[1] <= SIDE_BY_SIDE + block.shape[1] // 8:
            self._add_joined(block, y, w, shift)
        else:
            self._add_apart(block if shift is None else block - shift, y, w)

    def _add_joined(self, block: Any, y: np.ndarray, w: np.ndarray | None, shift: np.ndarray | None) -> None:
        """√w (x − c, y, 1) side by side: one SYRK forms every sum, and the rows are read from memory once."""
        n, p = block.shape
        if len(self.joined) < n:
            self.joined = np.empty((n, p + y.shape[1] + 1))
        joined = self.joined[:n]
        if shift is None:
            joined[:, :p] = block
        else:
            np.subtract(block, shift, out=joined[:, :p])
        joined[:, p:-1], joined[:, -1] = y, 1.0
        if w is not None:
            joined *= np.sqrt(w)[:, None]
        products = joined.T @ joined  # NumPy recognises AᵀA and calls SYRK
        self.xx += products[:p, :p]
        self.xy += products[:p, p:-1]
        self.first_x += products[:p, -1]
        self.first_y += products[p:-1, -1]
        self.yy += np.diagonal(products)[p:-1]

    def _add_apart(self, block: Any, y: np.ndarray, w: np.ndarray | None) -> None:
        """The same where it is sparse, or where there are many targets."""
        weighted_y = y if w is None else y * w[:, None]
        if sparse.issparse(block):
            weighted = block if w is None else sparse.diags_array(w) @ block
            self.xx += (weighted.T @ block).toarray()
            self.first_x += np.asarray(weighted.sum(axis=0)).ravel()
        elif w is None:
            block = np.asarray(block, dtype=float)
            self.xx += block.T @ block
            self.first_x += np.ones(block.shape[0]) @ block
        else:
            block = np.asarray(block, dtype=float)
            rooted = block * np.sqrt(w)[:, None]
            self.xx += rooted.T @ rooted
            self.first_x += w @ block
        self.xy += block.T @ weighted_y
        self.first_y += weighted_y.sum(axis=0)
        self.yy += np.einsum("ij,ij->j", weighted_y, y)

    def result(self, shift_x: np.ndarray, shift_y: np.ndarray) -> DesignMoments:
        return DesignMoments(
            self.count,
            self.weight,
            shift_x,
            shift_y,
            self.first_x,
            self.first_y,
            self.xx,
            self.xy,
            self.yy,
        )


def add_designs(parts: list[DesignMoments]) -> DesignMoments:
    """Sum of parts that share their shifts (folds of one pass do)."""
    first = parts[0]
    fields = ("first_x", "first_y", "xx", "xy", "yy")
    total = {name: sum(getattr(part, name) for part in parts[1:]) + getattr(first, name) for name in fields}
    return DesignMoments(
        sum(part.count for part in parts),
        sum(part.weight for part in parts),
        first.shift_x,
        first.shift_y,
        **total,
    )


def subtract_designs(a: DesignMoments, b: DesignMoments) -> DesignMoments:
    """Moments of the rows of a that are not in b; both share their shifts."""
    fields = ("first_x", "first_y", "xx", "xy", "yy")
    rest = {name: getattr(a, name) - getattr(b, name) for name in fields}
    return DesignMoments(a.count - b.count, a.weight - b.weight, a.shift_x, a.shift_y, **rest)


def about(m: DesignMoments, mean_x: np.ndarray, mean_y: np.ndarray) -> DesignMoments:
    """The same rows about given points instead of the shift; centring when these are the means."""
    dx, dy = m.shift_x - mean_x, m.shift_y - mean_y
    cross = np.outer(m.first_x, dx)
    # Σw(x + dx)(y + dy)ᵀ − Σw x yᵀ as one product of rank 2, since t may be thousands
    xy = np.column_stack([m.first_x + m.weight * dx, dx]) @ np.vstack([dy, m.first_y])
    xy += m.xy
    return DesignMoments(
        m.count,
        m.weight,
        mean_x,
        mean_y,
        m.first_x + m.weight * dx,
        m.first_y + m.weight * dy,
        m.xx + cross + cross.T + m.weight * np.outer(dx, dx),
        xy,
        m.yy + 2 * dy * m.first_y + m.weight * dy**2,
    )
