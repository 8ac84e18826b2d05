"""Spectrum from a diagonal form: exact directions when they are few, bins of them when they are many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.errors import UsageError
from elltwo.factoring.bins import binned, pieces
from elltwo.factoring.clean import svd_floor
from elltwo.factoring.diagonal import Diagonal
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import Free, Map, Origin, Spectrum, Trace

EXACT = 1 << 14  # directions up to which each is kept


@dataclass(frozen=True)
class Parts:
    """gamma2 : (k,) s² per direction, 0 where free; free : (q,) flat positions; least, top : s² kept lies between."""

    gamma2: np.ndarray
    free: np.ndarray
    least: float
    top: float


@dataclass(frozen=True)
class StructuredDirect:
    """Coefficients x̂ = a b̂/(a² + λℓ²), transformed back.

    Attributes
    ----------
    diagonal : the diagonal form; data : b̂; floor : a² below which λ = 0 drops a direction.
    offset : (n,) prior mean, or None.
    """

    diagonal: Diagonal
    data: tuple[np.ndarray, ...]
    floor: float
    offset: np.ndarray | None

    def at(self, alphas: np.ndarray) -> np.ndarray:
        """(n, t) coefficients at one λ per target."""
        columns = [self._one(field, float(a)) for field, a in zip(self.data, alphas, strict=True)]
        out = np.column_stack(columns) if len(columns) > 1 else columns[0][:, None]
        return out if self.offset is None else out + self.offset.reshape(out.shape[0], -1)

    def _one(self, data: np.ndarray, alpha: float) -> np.ndarray:
        a, ell2 = self.diagonal.a, self.diagonal.ell2
        if alpha == 0 or np.isinf(alpha):
            live = np.abs(a) > self.floor * np.abs(a).max()
            live = live if alpha == 0 else live & (np.zeros(a.shape, bool) if ell2 is None else ell2 == 0)
            x = np.divide(data, a, out=np.zeros_like(data), where=live)
        else:
            x = np.empty(a.shape)
            for part in pieces(a.size):
                at = a.reshape(-1)[part]
                below = at * at
                below += alpha if ell2 is None else alpha * ell2.reshape(-1)[part]
                # a = ℓ = 0: neither data nor penalty see this direction; it gets nothing
                np.maximum(below, np.finfo(float).tiny, out=below)
                np.divide(at * data.reshape(-1)[part], below, out=x.reshape(-1)[part])
        return self.diagonal.from_columns(x)


@dataclass(frozen=True)
class StructuredMap:
    """V of an exact structured spectrum: coordinates in descending order of s to coefficients.

    Attributes
    ----------
    diagonal : the diagonal form; order : (k,) flat positions of the kept directions.
    scale : (k,) sign(a)/ℓ.
    """

    diagonal: Diagonal
    order: np.ndarray
    scale: np.ndarray

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        """(n, ...) coefficients of the coordinates y (k, ...)."""
        flat = np.asarray(y).reshape(self.order.size, -1)
        out = np.empty((self.diagonal.shape[1], flat.shape[1]))
        for j in range(flat.shape[1]):
            field = np.zeros(self.diagonal.a.shape)
            field.flat[self.order] = self.scale * flat[:, j]
            out[:, j] = self.diagonal.from_columns(field)
        return out.reshape(-1, *np.shape(y)[1:])

    def toarray(self) -> np.ndarray:
        """(n, k) the map itself."""
        return self @ np.eye(self.order.size)


@dataclass(frozen=True)
class BinnedMap:
    """The map of a binned spectrum, which keeps sums over directions and not the directions."""

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        raise UsageError(
            f"this spectrum keeps bins, not single directions, because there are more than {EXACT}: "
            "use the solution's coefficients, or a smaller problem"
        )

    def toarray(self) -> np.ndarray:
        """Refuse, in a sentence."""
        return self @ np.zeros(0)


def factor_structured(
    diagonal: Diagonal,
    b: np.ndarray,
    image: np.ndarray | None = None,
    x0: np.ndarray | None = None,
    noise: float | None = None,
    exact: bool | None = None,
) -> Rotated:
    """Return the Rotated of min ‖A x − b‖² + λ‖L(x − x0)‖² from a diagonal form; b (m, t).

    ``image`` is A x0, subtracted from b. ``exact`` keeps every direction (default: up to EXACT of them).
    """
    b = b if image is None else b - image.reshape(b.shape[0], -1)
    data = tuple(diagonal.to_rows(column) for column in b.T)
    parts = _parts(diagonal)
    keep_all = b.shape[1] > 1 or diagonal.a.size <= EXACT if exact is None else exact
    free_rows = _free_rows(diagonal, parts, data)
    make = _exact if keep_all else _binned
    kept = make(diagonal, parts, data)
    inside = np.array([column @ column for column in b.T]) - (free_rows.z**2).sum(axis=0)
    inside = np.maximum(inside, 0.0)
    lost = _outside(diagonal, b, inside - (kept.z**2).sum(axis=0), kept.dropped)
    spectrum = Spectrum(
        s=kept.s,
        map=kept.map,
        rows=None,
        free=Free(False, np.zeros(diagonal.shape[1]), free_rows.T),
        shape=diagonal.shape,
        weight=float(diagonal.shape[0]),
        dropped=kept.dropped,
        origin=Origin(diagonal.kind, diagonal.reason, squared=False),
        x0=x0,
        trace=kept.trace,
    )
    direct = StructuredDirect(diagonal, data, svd_floor(diagonal.shape), x0)
    return Rotated(
        spectrum,
        kept.z,
        free_rows.z,
        np.zeros(b.shape[1]),
        np.maximum(lost, 0.0),
        inside,
        None,
        noise,
        direct,
    )


@dataclass(frozen=True)
class FreeRows:
    """z : (q, t) coordinates of b in the free block; T : (n, q) with A T = Q."""

    z: np.ndarray
    T: np.ndarray


def _parts(diagonal: Diagonal) -> Parts:
    gamma2 = (diagonal.a * diagonal.a).ravel()
    floor = svd_floor(diagonal.shape) ** 2
    free = np.zeros(0, np.intp)
    if diagonal.ell2 is not None:
        unseen = np.flatnonzero(diagonal.ell2 == 0)
        free = unseen[gamma2[unseen] > floor * gamma2.max()]
        with np.errstate(divide="ignore", invalid="ignore"):
            gamma2 /= diagonal.ell2.ravel()
        gamma2[unseen] = 0.0
    top = float(gamma2.max())
    return Parts(gamma2, free, top * floor, top)


def _outside(diagonal: Diagonal, b: np.ndarray, left: np.ndarray, dropped: int) -> np.ndarray:
    """(t,) energy of b that no direction reaches; exactly 0 where the directions span all rows."""
    complete = diagonal.a.size >= b.shape[0] and dropped == 0
    return np.zeros(b.shape[1]) if complete else np.maximum(left, 0.0)


def _free_rows(diagonal: Diagonal, parts: Parts, data: tuple[np.ndarray, ...]) -> FreeRows:
    if parts.free.size == 0:
        return FreeRows(np.zeros((0, len(data))), np.zeros((diagonal.shape[1], 0)))
    columns = [_free_column(diagonal, place) for place in parts.free]
    T = columns[0][:, None] if len(columns) == 1 else np.column_stack(columns)
    return FreeRows(np.array([field.ravel()[parts.free] for field in data]).T, T)


def _free_column(diagonal: Diagonal, place: int) -> np.ndarray:
    size = diagonal.shape[1]
    if place == 0 and diagonal.kind in ("dct", "fft"):  # frequency zero is the constant
        return np.broadcast_to(size**-0.5 / diagonal.a.flat[0], (size,))
    field = np.zeros(diagonal.a.shape)
    field.flat[place] = 1.0 / diagonal.a.flat[place]
    return diagonal.from_columns(field)


@dataclass(frozen=True)
class Kept:
    """s (k,) and z (k, t) of the directions or bins kept, their map and counts, and how many were dropped."""

    s: np.ndarray
    z: np.ndarray
    map: Map
    trace: Trace | None
    dropped: int


def _exact(diagonal: Diagonal, parts: Parts, data: tuple[np.ndarray, ...]) -> Kept:
    """Every direction on its own."""
    order = np.argsort(-parts.gamma2, kind="stable")
    k = int(np.sum(parts.gamma2 > parts.least))
    order = order[:k]
    sign = np.sign(diagonal.a.ravel()[order])
    ell = 1.0 if diagonal.ell2 is None else np.sqrt(diagonal.ell2.ravel()[order])
    z = np.column_stack([sign * field.ravel()[order] for field in data])
    dropped = parts.gamma2.size - k - parts.free.size
    return Kept(np.sqrt(parts.gamma2[order]), z, StructuredMap(diagonal, order, sign / ell), None, dropped)


def _binned(diagonal: Diagonal, parts: Parts, data: tuple[np.ndarray, ...]) -> Kept:
    """Bins of directions, when there are too many to keep each."""
    bins = binned(parts.gamma2, data[0].reshape(-1), parts.least, parts.top)
    count, total = bins.count.sum(axis=1), bins.energy.sum(axis=1)
    used = np.flatnonzero(count[1:])[::-1] + 1  # bin 0 holds what is free or dropped
    mean = (bins.count * bins.s2).sum(axis=1)[used] / count[used]
    # the data see a bin at the mean of s² weighted by their energy, traces at its plain mean
    weighted = bins.weighted.sum(axis=1)[used]
    s = np.sqrt(np.divide(weighted, total[used], out=mean.copy(), where=total[used] > 0))
    trace = Trace(np.sqrt(mean), count[used])
    dropped = int(count[0]) - parts.free.size
    return Kept(s, np.sqrt(total[used])[:, None], BinnedMap(), trace, dropped)
