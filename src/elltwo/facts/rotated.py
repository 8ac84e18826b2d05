"""A Spectrum met by targets, and the fold of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from elltwo.facts.spectrum import Spectrum


class Direct(Protocol):
    """Coefficients at one λ per target without the map: faster, or possible where the map is not kept."""

    def at(self, alphas: np.ndarray) -> np.ndarray:
        """(p, t) coefficients, prior mean and free part included, for alphas (t,)."""
        ...


@dataclass(frozen=True)
class Rotated:
    """A Spectrum and the coordinates of the targets in it.

    Attributes
    ----------
    spectrum : the Spectrum.
    z : (k, t) Uᵀb.
    free : (q, t) Qᵀb without the constant.
    mean : (t,) weighted mean of b (zeros without an intercept).
    rest : (t,) ‖b‖² outside the range of U and of the free block, weighted.
    total : (t,) ‖b‖² after the free block is projected out: ‖z‖² + rest.
    b : (n, t) or None: the targets, centred and scaled by √w, if rows were kept.
    noise : standard deviation of the noise, if known.
    direct : coefficients at a λ by a shorter way than the map, or None.
    """

    spectrum: Spectrum
    z: np.ndarray
    free: np.ndarray
    mean: np.ndarray
    rest: np.ndarray
    total: np.ndarray
    b: np.ndarray | None = field(default=None, repr=False)
    noise: float | None = None
    direct: Direct | None = field(default=None, repr=False)

    @property
    def targets(self) -> int:
        return self.z.shape[1]


@dataclass(frozen=True)
class Fold:
    """One training fold's spectrum and what it needs to score its held-out rows at any λ.

    Held-out rows enter either as a quadratic form (``second``) or as themselves (``design``,
    ``y``), whichever is cheaper; both relative to the training means.

    Attributes
    ----------
    s : (k,) singular values of the training design.
    V : (p, k) map back to coefficients.
    z : (k, t).
    offset : (p, t) coefficients that no λ changes (free directions and prior mean).
    weight, count : of the held-out rows.
    second : (p, p) held-out Σw aaᵀ; cross : (p, t) Σw a y; square : (t,) Σw y².
    design : (m, k) held-out √w a V; y : (m, t) held-out √w (y − free part).
    """

    s: np.ndarray
    V: np.ndarray
    z: np.ndarray
    offset: np.ndarray
    weight: float
    count: int
    second: np.ndarray | None = None
    cross: np.ndarray | None = None
    square: np.ndarray | None = None
    design: np.ndarray | None = None
    y: np.ndarray | None = None
