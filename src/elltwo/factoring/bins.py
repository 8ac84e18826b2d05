"""Bins of directions by s².

Selection curves are sums over directions of smooth functions of s²; eight bins per octave of s², each
at its mean, change them by less than 1e-3 and make a choice of λ cost little beside the transforms.
The exponent and the leading mantissa bits of s² number the bins, so no logarithm is taken. Directions are
counted in bins eight times narrower, so that their means need no sum of s² itself, except where few
directions, such as the constant, hold most of the energy: those are placed exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PIECE = 1 << 15  # directions worked on at a time
NARROW = 8  # narrow bins to a bin
LOUD = 64.0  # energy over the average from which a direction is placed exactly
SHIFT = 52 - 6  # bits of a float64 dropped: six of the mantissa stay, 64 narrow bins per octave


@dataclass(frozen=True)
class Bins:
    """(bins, NARROW) s² in the middle of each narrow bin; directions in it, their energy Σz² and Σz²s²."""

    s2: np.ndarray
    count: np.ndarray
    energy: np.ndarray
    weighted: np.ndarray


def binned(s2: np.ndarray, z: np.ndarray, least: float, top: float) -> Bins:
    """Count directions and their energy by s² (k,) with coordinates z (k,); the first bin is below ``least``."""
    first, last = np.array([max(least, np.finfo(float).tiny), top]).view(np.int64) >> SHIFT
    first -= first % NARROW
    size = NARROW * (int(max(last - first, 0)) // NARROW + 1)
    middle = ((np.arange(size) + first << SHIFT) + (1 << SHIFT - 1)).view(float)
    count, energy, moved = np.zeros((3, size))
    for part in pieces(z.size):
        here, square = s2[part], z[part] ** 2
        bins = here.view(np.int64) >> SHIFT
        bins -= first
        np.maximum(bins, 0, out=bins)
        count += np.bincount(bins, None, size)
        energy += np.bincount(bins, square, size)
        loud = np.flatnonzero(square > LOUD * square.mean())
        at = bins[loud]
        moved += np.bincount(at, square[loud] * (here[loud] - middle[at]), size)
    return Bins(*(f.reshape(-1, NARROW) for f in (middle, count, energy, energy * middle + moved)))


def pieces(size: int) -> Iterator[slice]:
    """Slices that stay in cache: to a whole field, fresh memory costs more than arithmetic."""
    return (slice(start, start + PIECE) for start in range(0, size, PIECE))
