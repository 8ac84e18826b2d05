"""Pictures to reconstruct, drawn from formulas."""

from __future__ import annotations

import numpy as np

# intensity, half axes a and b, centre x0 and y0, rotation in degrees (Toft's contrast)
_ELLIPSES = np.array(
    [
        [1.0, 0.69, 0.92, 0, 0, 0],
        [-0.8, 0.6624, 0.874, 0, -0.0184, 0],
        [-0.2, 0.11, 0.31, 0.22, 0, -18],
        [-0.2, 0.16, 0.41, -0.22, 0, 18],
        [0.1, 0.21, 0.25, 0, 0.35, 0],
        [0.1, 0.046, 0.046, 0, 0.1, 0],
        [0.1, 0.046, 0.046, 0, -0.1, 0],
        [0.1, 0.046, 0.023, -0.08, -0.605, 0],
        [0.1, 0.023, 0.023, 0, -0.606, 0],
        [0.1, 0.023, 0.046, 0.06, -0.605, 0],
    ]
)


def shepp_logan(size: int) -> np.ndarray:
    """Return the (size, size) Shepp-Logan head phantom with Toft's contrast, values in [0, 1].

    Source: Shepp & Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21; contrast of Toft, thesis (DTU 1996), p. 199.
    """
    x = (np.arange(size) - (size - 1) / 2) / ((size - 1) / 2)
    X, Y = np.meshgrid(x, -x)
    image = np.zeros((size, size))
    for level, a, b, x0, y0, angle in _ELLIPSES:
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        u, v = (X - x0) * cos + (Y - y0) * sin, (Y - y0) * cos - (X - x0) * sin
        image[u**2 / a**2 + v**2 / b**2 <= 1] += level
    return np.maximum(image, 0.0)


def satellite(size: int) -> np.ndarray:
    """Return a (size, size) picture of blocks, a disc, a ramp and thin bars, values in [0, 1]."""
    t = (np.arange(size) + 0.5) / size
    X, Y = np.meshgrid(t, t)
    image = 0.15 + 0.25 * X
    image[(np.abs(X - 0.3) < 0.15) & (np.abs(Y - 0.35) < 0.2)] = 0.9
    image[(X - 0.7) ** 2 + (Y - 0.35) ** 2 < 0.18**2] = 0.05
    image[(X - 0.7) ** 2 + (Y - 0.35) ** 2 < 0.08**2] = 1.0
    bars = (Y > 0.68) & (Y < 0.9) & (X > 0.1) & (X < 0.9)
    image[bars] = np.where(np.floor(X[bars] * 16) % 2 == 0, 0.8, 0.2)
    return image
