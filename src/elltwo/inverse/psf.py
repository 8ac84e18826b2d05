"""Point-spread functions from a word: gaussian:2, disk:3, box:5, motion:9,30, or a picture file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elltwo.errors import InputError
from elltwo.inverse.pictures import read_picture
from elltwo.operators import gaussian_psf

KINDS = "gaussian:SIGMA, disk:RADIUS, box:WIDTH, motion:LENGTH[,ANGLE] (pixels, degrees), or a picture file"
FINE = 8  # sub-pixels per side when a shape is drawn
MOST = 500.0  # pixels a shape may reach


def parse_psf(text: str) -> np.ndarray:
    """Return the PSF, summing to one.

    Raises
    ------
    InputError
        If the text names no PSF, or a number in it cannot be used.
    """
    kind, colon, rest = text.partition(":")
    makers = {"gaussian": _gaussian, "disk": _disk, "box": _box, "motion": _motion}
    if colon and kind.lower() in makers:
        numbers = _numbers(text, rest)
        if kind.lower() != "motion" and len(numbers) != 1:
            raise InputError(f"PSF {text!r}: {kind} takes one number; use {KINDS}")
        psf = makers[kind.lower()](*numbers)
    elif Path(text).suffix:
        picture = read_picture(text)
        psf = picture.pixels.mean(axis=2)
    else:
        raise InputError(f"PSF {text!r} is not known: use {KINDS}")
    total = psf.sum()
    if not total > 0:
        raise InputError(f"PSF {text!r} is black: it would not let any light through")
    return psf / total


def _numbers(text: str, rest: str) -> list[float]:
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        raise InputError(f"PSF {text!r}: {rest!r} is not a number; use {KINDS}") from None
    if len(numbers) > 2 or not np.isfinite(numbers).all() or not 0 < numbers[0] <= MOST:
        raise InputError(
            f"PSF {text!r}: the first number must lie between 0 and {MOST:g} pixels; use {KINDS}"
        )
    return numbers


def _gaussian(sigma: float) -> np.ndarray:
    return gaussian_psf(sigma)


def _box(width: float) -> np.ndarray:
    line = _coverage(width / 2)
    return np.outer(line, line)


def _coverage(half: float) -> np.ndarray:
    """How much of each pixel the interval [−half, half] covers; an odd number of pixels."""
    reach = int(np.ceil(half - 0.5))
    x = np.arange(-max(reach, 0), max(reach, 0) + 1)
    return np.clip(np.minimum(x + 0.5, half) - np.maximum(x - 0.5, -half), 0, 1)


def _disk(radius: float) -> np.ndarray:
    reach = int(np.ceil(radius))
    Y, X = _fine_grid(reach)
    return _pool((radius**2 >= X**2 + Y**2).astype(float))


def _motion(length: float, angle: float = 0.0) -> np.ndarray:
    reach = int(np.ceil(length / 2))
    Y, X = _fine_grid(reach)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    along, across = X * cos - Y * sin, X * sin + Y * cos
    return _pool(((np.abs(along) <= length / 2) & (np.abs(across) <= 0.5)).astype(float))


def _fine_grid(reach: int) -> tuple[np.ndarray, np.ndarray]:
    pixels = 2 * reach + 1
    t = (np.arange(pixels * FINE) + 0.5) / FINE - pixels / 2
    Y, X = np.meshgrid(t, t, indexing="ij")
    return Y, X


def _pool(fine: np.ndarray) -> np.ndarray:
    n = fine.shape[0] // FINE
    return fine.reshape(n, FINE, n, FINE).mean(axis=(1, 3))
