"""First-kind Fredholm integral equations: the classic discrete ill-posed problems.

All are written from their published kernels in P. C. Hansen, "Regularization Tools", Numerical
Algorithms 6 (1994) 1 and 46 (2007) 189, with the same quadrature, so that singular values and
norms agree with that package (tests/reference/test_regtools.py).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import toeplitz
from scipy.special import roots_laguerre

from elltwo.errors import InputError
from elltwo.inverse.testproblems.problem import TestProblem, check_size

_HANSEN = "Hansen, Numer. Algor. 6 (1994) 1"


def shaw(n: int = 64) -> TestProblem:
    """One-dimensional image restoration: (cos s + cos t)² (sin u/u)², u = π(sin s + sin t).

    Source: Shaw, J. Math. Anal. Appl. 37 (1972) 83. n must be even.
    """
    n = check_size("shaw", n, 2)
    h = np.pi / n
    t = -np.pi / 2 + (np.arange(n) + 0.5) * h
    u = np.pi * np.add.outer(np.sin(t), np.sin(t))
    A = h * (np.add.outer(np.cos(t), np.cos(t)) * np.sinc(u / np.pi)) ** 2
    x = 2 * np.exp(-6 * (t - 0.8) ** 2) + np.exp(-2 * (t + 0.5) ** 2)
    return TestProblem("shaw", A, A @ x, x, "Shaw, J. Math. Anal. Appl. 37 (1972) 83")


def phillips(n: int = 64) -> TestProblem:
    """Deconvolution with φ(s − t), φ(t) = 1 + cos(πt/3) on |t| < 3; Galerkin, so b ≠ A x exactly.

    Source: Phillips, J. ACM 9 (1962) 84. n must be a multiple of 4.
    """
    n = check_size("phillips", n, 4, 4)
    h, quarter, c = 12 / n, n // 4, np.pi / 3
    row = np.zeros(n)
    cosine = np.cos(np.arange(-1, quarter + 1) * 4 * np.pi / n)
    row[:quarter] = h + 9 / (h * np.pi**2) * (2 * cosine[1:-1] - cosine[:-2] - cosine[2:])
    row[quarter] = h / 2 + 9 / (h * np.pi**2) * (np.cos(4 * np.pi / n) - 1)

    def primitive(t: np.ndarray) -> np.ndarray:
        half = 3 - np.abs(t) / 2
        return t * (6 - np.abs(t) / 2) + (half * np.sin(c * t) - 2 / c * (np.cos(c * t) - 1)) / c

    edges = np.arange(n // 2 + 1) * h
    right = np.diff(primitive(edges)) / np.sqrt(h)
    bump = (h + np.diff(np.sin(edges[: quarter + 1] * c)) / c) / np.sqrt(h)
    x = np.zeros(n)
    x[n // 2 : n // 2 + quarter] = bump
    x[quarter : n // 2] = bump[::-1]
    return TestProblem(
        "phillips", toeplitz(row), np.r_[right[::-1], right], x, "Phillips, J. ACM 9 (1962) 84"
    )


def heat(n: int = 64, kappa: float = 1.0) -> TestProblem:
    """Inverse heat equation, a Volterra kernel; kappa = 1 is ill-posed, kappa = 5 well conditioned.

    Source: Carasso, SIAM J. Appl. Math. 42 (1982) 558. n must be even.
    """
    n = check_size("heat", n, 2)
    if not kappa > 0:
        raise InputError(f"heat needs kappa > 0; got {kappa!r}")
    t = (np.arange(n) + 0.5) / n
    k = 1 / (2 * kappa * np.sqrt(np.pi) * n) * t**-1.5 * np.exp(-1 / (4 * kappa**2 * t))
    A = toeplitz(k, np.r_[k[0], np.zeros(n - 1)])
    ti = np.arange(1, n // 2 + 1) * 20 / n
    x = np.zeros(n)
    x[: n // 2] = np.where(
        ti < 2, 0.75 * ti**2 / 4, np.where(ti < 3, 0.75 + (ti - 2) * (3 - ti), 0.75 * np.exp(-2 * (ti - 3)))
    )
    return TestProblem("heat", A, A @ x, x, "Carasso, SIAM J. Appl. Math. 42 (1982) 558")


def baart(n: int = 64) -> TestProblem:
    """Kernel exp(s cos t) on [0, π/2]×[0, π], solution sin t. Severely ill-posed.

    Source: Baart, IMA J. Numer. Anal. 2 (1982) 241. n must be even.
    """
    n = check_size("baart", n, 2)
    hs, ht = np.pi / (2 * n), np.pi / n
    s = np.arange(n + 1) * hs

    def cell(c: np.ndarray) -> np.ndarray:  # ∫ exp(s c) ds over each cell, one column per c
        flat = np.abs(c) < 1e-12
        safe = np.where(flat, 1.0, c)
        return np.where(flat, hs, np.diff(np.exp(np.outer(s, safe)), axis=0) / safe)

    ends = cell(np.cos(np.arange(n + 1) * ht))
    mid = cell(np.cos((np.arange(n) + 0.5) * ht))
    A = (ends[:, :-1] + 4 * mid + ends[:, 1:]) / (3 * np.sqrt(2))  # Simpson in t, Galerkin in s
    half = np.arange(1, 2 * n + 1) * hs / 2
    g = np.r_[1.0, np.sinh(half) / half]
    b = np.sqrt(hs) / 3 * (g[:-1:2] + 4 * g[1::2] + g[2::2])
    x = -np.diff(np.cos(np.arange(n + 1) * ht)) / np.sqrt(ht)
    return TestProblem("baart", A, b, x, "Baart, IMA J. Numer. Anal. 2 (1982) 241")


def deriv2(n: int = 64, example: int = 1) -> TestProblem:
    """Second derivative: Green's function of u'' on [0, 1]; x = t, exp t, or a tent (examples 1-3).

    Source: Delves & Mohamed, Computational Methods for Integral Equations (1985), p. 310.
    """
    n = check_size("deriv2", n, 2 if example == 3 else 1)
    h, i = 1 / n, np.arange(1, n + 1)
    lo, hi = np.minimum.outer(i, i), np.maximum.outer(i, i)
    A = h**2 * (lo - 0.5) * ((hi - 0.5) * h - 1)
    np.fill_diagonal(A, h**2 * ((i**2 - i + 0.25) * h - (i - 2 / 3)))
    a, z = (i - 1) * h, i * h
    if example == 1:
        x = h**1.5 * (i - 0.5)
        b = x * ((a**2 + z**2) / 2 - 1) / 6
    elif example == 2:
        x = (np.exp(z) - np.exp(a)) / np.sqrt(h)
        b = x + ((1 - np.e) * (i - 0.5) * h**2 - h) / np.sqrt(h)
    elif example == 3:
        left = z <= 0.5 + h / 4
        x = np.where(left, (z**2 - a**2) / 2, h - (z**2 - a**2) / 2) / np.sqrt(h)

        def primitive(t: np.ndarray) -> np.ndarray:
            return np.where(left, t**4 - 1.5 * t**2, -(t**4) + 4 * t**3 - 4.5 * t**2 + t) / 24

        b = (primitive(z) - primitive(a)) / np.sqrt(h)
    else:
        raise InputError(f"deriv2 has examples 1, 2 and 3; got {example!r}")
    return TestProblem("deriv2", A, b, x, "Delves & Mohamed (1985), p. 310")


def gravity(n: int = 64, depth: float = 0.25) -> TestProblem:
    """Gravity surveying: d (d² + (s − t)²)^(−3/2) on [0, 1], masses at depth d.

    Source: Hansen, Numer. Algor. 29 (2002) 323.
    """
    n = check_size("gravity", n)
    if not depth > 0:
        raise InputError(f"gravity needs depth > 0; got {depth!r}")
    t = (np.arange(n) + 0.5) / n
    A = depth / n * (depth**2 + np.subtract.outer(t, t) ** 2) ** -1.5
    x = np.sin(np.pi * t) + 0.5 * np.sin(2 * np.pi * t)
    return TestProblem("gravity", A, A @ x, x, "Hansen, Numer. Algor. 29 (2002) 323")


def foxgood(n: int = 64) -> TestProblem:
    """Kernel (s² + t²)^½ on [0, 1], solution t; does not satisfy the discrete Picard condition.

    Source: Fox & Goodwin, Phil. Trans. R. Soc. A 245 (1953) 501.
    """
    n = check_size("foxgood", n)
    t = (np.arange(n) + 0.5) / n
    A = np.sqrt(np.add.outer(t**2, t**2)) / n
    return TestProblem(
        "foxgood",
        A,
        ((1 + t**2) ** 1.5 - t**3) / 3,
        t,
        "Fox & Goodwin, Phil. Trans. R. Soc. A 245 (1953) 501",
    )


def i_laplace(n: int = 64, example: int = 1) -> TestProblem:
    """Inverse Laplace transform by Gauss-Laguerre quadrature; four solutions, s = 10 i/n.

    Source: Varah, SIAM J. Sci. Stat. Comput. 4 (1983) 164.
    """
    n = check_size("i_laplace", n)
    s = 10 / n * np.arange(1, n + 1)
    t, weight = roots_laguerre(n)
    A = np.exp(np.outer(1 - s, t)) * weight
    solutions = {
        1: (np.exp(-t / 2), 1 / (s + 0.5)),
        2: (1 - np.exp(-t / 2), 1 / s - 1 / (s + 0.5)),
        3: (t**2 * np.exp(-t / 2), 2 / (s + 0.5) ** 3),
        4: (np.where(t <= 2, 0.0, 1.0), np.exp(-2 * s) / s),
    }
    if example not in solutions:
        raise InputError(f"i_laplace has examples 1 to 4; got {example!r}")
    x, b = solutions[example]
    return TestProblem("i_laplace", A, b, x, "Varah, SIAM J. Sci. Stat. Comput. 4 (1983) 164")


def wing(n: int = 64, start: float = 1 / 3, stop: float = 2 / 3) -> TestProblem:
    """Kernel t exp(−s t²) on [0, 1], solution the indicator of (start, stop): discontinuous.

    Source: Wing, A Primer on Integral Equations of the First Kind (SIAM 1991), p. 109.
    """
    n = check_size("wing", n)
    if not 0 < start < stop < 1:
        raise InputError(f"wing needs 0 < start < stop < 1; got {start!r} and {stop!r}")
    t = (np.arange(n) + 0.5) / n
    A = t / n * np.exp(-np.outer(t, t**2))
    b = 0.5 / np.sqrt(n) * (np.exp(-t * start**2) - np.exp(-t * stop**2)) / t
    x = np.where((t > start) & (t < stop), np.sqrt(1 / n), 0.0)
    return TestProblem("wing", A, b, x, "Wing, A Primer on Integral Equations (SIAM 1991), p. 109")


def spikes(n: int = 64, length: int = 5) -> TestProblem:
    """A unit step at t = ½ and a pulse train at ½, 1½, 2½, … seen through a heat kernel.

    Source: Hansen, Numer. Algor. 6 (1994) 1.
    """
    n = check_size("spikes", n, least=2 * length)
    step = length / n
    t = step * np.arange(1, n + 1)
    A = t[:, None] / (2 * np.sqrt(np.pi * t**3)) * np.exp(-(t[:, None] ** 2) / (4 * t))
    heights = np.r_[25.0, 9.0, 5.0, 4.0, 3.0, np.full(max(0, length - 5), 2.0)][:length]
    at = np.floor((np.arange(length) + 0.5) / step + 0.5).astype(int) - 1
    x = np.zeros(n)
    x[at[0] :] = 1.0
    x[at] = heights
    return TestProblem("spikes", A, A @ x, x, _HANSEN)
