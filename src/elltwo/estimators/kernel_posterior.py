"""The Gaussian-process reading of kernel ridge: variance of f(x) under f ~ GP(0, σ²k/α) and noise σ²/wᵢ.

Rasmussen & Williams (2006) eq. 2.26. The amplitude σ²/α is that at which the targets are most likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import Spectrum
from elltwo.shrinking.direct import solve_kernel


def amplitude(r: Rotated, alpha: np.ndarray) -> np.ndarray:
    """(t,) σ²/α = yᵀ(K + αW⁻¹)⁻¹y/n: finite at α = 0, and 0 at α = ∞."""
    outside = np.divide(r.rest, alpha, out=np.zeros_like(r.rest), where=alpha > 0)
    return (outside + np.sum(r.z**2 / (r.spectrum.s[:, None] ** 2 + alpha), axis=0)) / r.spectrum.shape[0]


@dataclass(frozen=True)
class KernelRows:
    """New rows seen through a kernel, and the training rows they were compared with.

    K : (n, n); rows : (m, n) k(x, ·); diagonal : (m,) k(x, x); root : (n,) √w or None.
    """

    K: np.ndarray
    rows: np.ndarray
    diagonal: np.ndarray
    root: np.ndarray | None


def kernel_variance(seen: KernelRows, alpha: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """(m, t) amplitude·(k(x, x) − k(x)ᵀ(K + αW⁻¹)⁻¹k(x))."""
    out = np.repeat(seen.diagonal[:, None], alpha.size, axis=1)
    for j in range(alpha.size):
        solved = solve_kernel(seen.K, seen.rows.T, alpha[j : j + 1], seen.root)
        out[:, j] -= np.einsum("ij,ji->i", seen.rows, solved)
    return amplitude * np.maximum(out, 0.0)


def features_variance(
    spectrum: Spectrum, Z: np.ndarray, alpha: np.ndarray, sigma2: np.ndarray, amplitude: np.ndarray
) -> np.ndarray:
    """(m, t) the variance for features Z (m, k), whose kernel is z zᵀ.

    σ² z(ZᵀWZ + α)⁻¹zᵀ where the training rows reach; the prior's amplitude ‖z‖² beyond.
    """
    seen = (Z @ spectrum.map.toarray()) ** 2
    beyond = np.maximum((Z**2).sum(axis=1) - seen.sum(axis=1), 0.0)
    return seen @ (sigma2 / (spectrum.s[:, None] ** 2 + alpha)) + np.outer(beyond, amplitude)
