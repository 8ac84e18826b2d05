"""Seismic deconvolution: reflectivity seen through a wavelet."""

from __future__ import annotations

import numpy as np

from elltwo.errors import InputError
from elltwo.inverse.testproblems.problem import TestProblem, check_size
from elltwo.operators.toeplitz import ToeplitzOperator


def ricker(length: int, frequency: float, step: float) -> np.ndarray:
    """Return (1 − 2a) exp(−a), a = (π f t)², at t = −length·step … length·step.

    Source: Ricker, Geophysics 18 (1953) 10.
    """
    a = (np.pi * frequency * step * np.arange(-length, length + 1)) ** 2
    return (1 - 2 * a) * np.exp(-a)


def seismic(n: int = 256, frequency: float = 30.0, step: float = 0.002, seed: int = 0) -> TestProblem:
    """Deconvolution of a reflectivity series from a trace made by a Ricker wavelet.

    ``x`` is a smooth layered reflectivity plus a few sharp interfaces at places drawn from ``seed``;
    ``A`` is a Toeplitz operator; ``frequency`` in Hz, ``step`` in seconds.

    Raises
    ------
    InputError
        If n < 16 or frequency·step is not in (0, ½), the Nyquist limit.
    """
    n = check_size("seismic", n, least=16)
    if not 0 < frequency * step < 0.5:
        raise InputError(f"frequency·step must lie between 0 and ½ (Nyquist); got {frequency * step!r}")
    half = min(n - 1, int(np.ceil(1.5 / (frequency * step))))
    wavelet = ricker(half, frequency, step)
    column = np.zeros(n)
    column[: half + 1] = wavelet[half:]
    A = ToeplitzOperator(column)
    rng = np.random.default_rng(seed)
    t = np.arange(n) / n
    x = 0.1 * np.sin(12 * np.pi * t) * np.exp(-2 * t)
    at = rng.choice(np.arange(n // 16, n - n // 16), size=max(3, n // 32), replace=False)
    x[at] += rng.uniform(0.3, 1.0, at.size) * rng.choice([-1.0, 1.0], at.size)
    return TestProblem("seismic", A, A @ x, x, "wavelet of Ricker, Geophysics 18 (1953) 10")
