"""Two-dimensional problems: parallel-beam tomography and blurred pictures."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from elltwo.errors import InputError
from elltwo.inverse.testproblems.phantoms import satellite, shepp_logan
from elltwo.inverse.testproblems.problem import TestProblem, check_size
from elltwo.operators.convolution import Boundary, convolution, gaussian_psf


def _degrees(theta: float) -> tuple[float, float]:
    """Return (cos, sin) of an angle in degrees, exact at multiples of 90."""
    quarter = theta / 90
    if quarter == int(quarter):
        return [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][int(quarter) % 4]
    return float(np.cos(np.deg2rad(theta))), float(np.sin(np.deg2rad(theta)))


def _crossings(offset: np.ndarray, half: float, size: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each ray (one per row) crosses the grid lines: x and y, sorted along the ray, nan outside."""
    cos, sin = _degrees(theta)
    lines = np.arange(size + 1) - half
    x0, y0 = cos * offset[:, None], sin * offset[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        tx, ty = (lines - x0) / -sin, (lines - y0) / cos
        x = np.hstack([np.broadcast_to(lines, tx.shape), -sin * ty + x0])
        y = np.hstack([cos * tx + y0, np.broadcast_to(lines, ty.shape)])
    t = np.hstack([tx, ty])
    outside = ~(np.isfinite(t) & (np.abs(x) <= half) & (np.abs(y) <= half))
    order = np.argsort(np.where(outside, np.inf, t), axis=1)
    x, y = (np.take_along_axis(np.where(outside, np.nan, v), order, axis=1) for v in (x, y))
    return x, y


def parallel_beam(size: int, angles: np.ndarray, rays: int, width: float) -> sp.csr_array:
    """Return the matrix of intersection lengths of parallel rays with a size×size grid of unit pixels.

    Row ``a·rays + r`` is ray r at angle a (degrees); column ``i·size + j`` is the pixel in row i
    (from the top) and column j. Siddon's method, all rays of one angle at a time.
    Source: Siddon, Med. Phys. 12 (1985) 252; geometry of Hansen & Jørgensen, Numer. Algor. 79 (2018) 107.
    """
    half = size / 2
    offset = np.linspace(-width / 2, width / 2, rays)
    rows, columns, lengths = [], [], []
    for a, theta in enumerate(angles):
        x, y = _crossings(offset, half, size, float(theta))
        length = np.hypot(np.diff(x), np.diff(y))
        column = np.floor((x[:, :-1] + x[:, 1:]) / 2 + half)
        row = size - 1 - np.floor((y[:, :-1] + y[:, 1:]) / 2 + half)
        hit = (length > 1e-10) & (column >= 0) & (column < size) & (row >= 0) & (row < size)
        ray, _ = np.nonzero(hit)
        rows.append(a * rays + ray)
        columns.append((row[hit] * size + column[hit]).astype(np.int64))
        lengths.append(length[hit])
    data = (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csr_array(sp.coo_array(data, shape=(len(angles) * rays, size * size)))


def tomography(size: int = 64, angles: np.ndarray | None = None, rays: int | None = None) -> TestProblem:
    """Parallel-beam tomography of the Shepp-Logan phantom, 0°…179° and round(√2·size) rays by default.

    Source: Hansen & Jørgensen, Numer. Algor. 79 (2018) 107; Gazzola, Hansen & Nagy, Numer. Algor. 81 (2019) 773.
    """
    size = check_size("tomography", size, least=2)
    theta = np.arange(180.0) if angles is None else np.atleast_1d(np.asarray(angles, float))
    count = int(np.floor(np.sqrt(2) * size + 0.5)) if rays is None else int(rays)
    if count < 2 or theta.size == 0:
        raise InputError(f"tomography needs at least two rays and one angle; got {count} and {theta.size}")
    A = parallel_beam(size, theta, count, count - 1.0)
    x = shepp_logan(size).ravel()
    return TestProblem(
        "tomography", A, A @ x, x, "Hansen & Jørgensen, Numer. Algor. 79 (2018) 107", (size, size)
    )


def blur(size: int = 64, sigma: float = 2.0, boundary: Boundary = "reflective") -> TestProblem:
    """Deblurring of a picture of simple shapes under a Gaussian point-spread function.

    ``A`` is a convolution operator with a ``boundary`` of ``"zero"``, ``"periodic"`` or ``"reflective"``.
    Source: Hansen, Nagy & O'Leary, Deblurring Images (SIAM 2006).
    """
    size = check_size("blur", size, least=8)
    A = convolution(gaussian_psf(sigma, 2), (size, size), boundary)
    x = satellite(size).ravel()
    return TestProblem(
        "blur", A, A @ x, x, "Hansen, Nagy & O'Leary, Deblurring Images (SIAM 2006)", (size, size)
    )
