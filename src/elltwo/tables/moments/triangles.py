"""Triangles instead of Gram matrices: R with RᵀR = Σ w u uᵀ, which keeps κ where the Gram has κ².

A triangle is a handful of rows that stand for all rows of a fold: the same means, the same products,
the same least squares. It is made by stacking a block under the triangle so far and taking the R
factor of a QR factorization; two triangles merge the same way (Demmel, Grigori, Hoemmen & Langou,
SIAM J. Sci. Comput. 34, 2012, "TSQR").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elltwo.tables.moments.design import DesignMap
from elltwo.tables.moments.levels import OTHER, Levels
from elltwo.tables.moments.mixed import MixedMoments


@dataclass(frozen=True)
class Triangles:
    """R factors of every fold's rows u, in the layout of the moments they were made after.

    Attributes
    ----------
    R : (K, P, P) upper triangles.
    """

    R: np.ndarray

    @classmethod
    def empty(cls, folds: int, width: int) -> Triangles:
        """Of no rows."""
        return cls(np.zeros((folds, width, width)))

    def with_rows(self, u: np.ndarray, folds: np.ndarray) -> Triangles:
        """With more rows u (n, P), weighted by √w, each in its fold (n,)."""
        R = self.R.copy()
        for k in np.unique(folds):
            R[k] = r_factor(R[k], u[folds == k])
        return Triangles(R)


def r_factor(R: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(P, P) triangle of a triangle and further rows."""
    out = np.zeros_like(R)
    found = np.linalg.qr(np.vstack([R, rows]), mode="r")
    out[: len(found)] = found
    return out


def merge_triangles(parts: Sequence[Triangles]) -> Triangles:
    """Of all rows, from left to right."""
    R = parts[0].R.copy()
    for part in parts[1:]:
        for k in range(len(R)):
            R[k] = r_factor(R[k], part.R[k])
    return Triangles(R)


def stored_rows(
    m: MixedMoments,
    numbers: np.ndarray,
    codes: Sequence[np.ndarray],
    labels: Sequence[Sequence[str]],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """u (n, P) of rows, written out: √w [1 | x − c | flags | 0/1 of every slot], as the moments have it.

    numbers (n, d); codes per category into its labels, −1 missing.
    """
    n, d = numbers.shape
    u = np.zeros((n, m.starts[-1]))
    u[:, 0] = 1.0
    missing = np.isnan(numbers)
    u[:, 1 : 1 + d] = np.where(missing, 0.0, numbers - m.shift)
    u[:, 1 + d : m.dense_width] = missing[:, list(m.flagged)]
    for c, (code, names) in enumerate(zip(codes, labels, strict=True)):
        u[np.arange(n), m.starts[c] + places(m.levels[c], names)[code]] = 1.0
    return u if weights is None else u * np.sqrt(weights)[:, None]


def places(levels: Levels, names: Sequence[str]) -> np.ndarray:
    """Slot of each code into a reader's labels; the last two are those of codes −2 (other) and −1 (missing)."""
    slot = {label: i + 1 for i, label in enumerate(levels.labels)}
    return np.array([slot.get(name, OTHER) for name in names] + [OTHER, slot.get(None, OTHER)])


@dataclass(frozen=True)
class PseudoRows:
    """A few rows that stand for many: design, targets, and the image of the constant.

    Attributes
    ----------
    A : (r, p); b : (r, t), both relative to the shift; one : (r,) what a column of ones (√w) became.
    """

    A: np.ndarray
    b: np.ndarray
    one: np.ndarray

    @property
    def weight(self) -> float:
        """Σw."""
        return float(self.one @ self.one)


def pseudo_rows(
    triangles: Triangles, folds: Sequence[int], design: DesignMap, targets: Sequence[int], keep: np.ndarray
) -> PseudoRows:
    """Rows of some folds after preprocessing: R T instead of TᵀGT."""
    R = np.vstack([triangles.R[k] for k in folds])
    T = design.T[:, np.flatnonzero(keep)]
    return PseudoRows(np.asarray((T.T @ R.T).T), R[:, 1 + np.asarray(targets, dtype=np.intp)], R[:, 0].copy())
