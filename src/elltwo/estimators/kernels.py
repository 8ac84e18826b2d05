"""Kernels by name: what scikit-learn's pairwise kernels need, and derivatives in their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import (
    additive_chi2_kernel,
    euclidean_distances,
    manhattan_distances,
    pairwise_kernels,
)
from sklearn.utils.extmath import safe_sparse_dot

from elltwo.errors import InputError, UsageError

SAMPLE = 1000  # rows on which random features are compared with the kernel, and distances looked at
STARTS = 8  # widths looked at before the search by gradient


@dataclass(frozen=True)
class Kernel:
    """A kernel of `sklearn.metrics.pairwise`, a callable, or "precomputed", with its parameters."""

    metric: str | Callable[..., Any]
    gamma: float | None = None
    degree: float = 3
    coef0: float = 1
    params: dict[str, Any] | None = None

    def __call__(self, X: Any, Y: Any = None) -> np.ndarray:
        if callable(self.metric):
            try:
                return pairwise_kernels(X, Y, metric=self.metric, filter_params=True, **(self.params or {}))
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"the kernel function failed on two rows of X ({error}): it is called with two one-dimensional "
                    "arrays and returns a number; for one that takes matrices pass kernel='precomputed'"
                ) from error
        chosen: dict[str, Any] = {"degree": self.degree, "coef0": self.coef0}
        if self.gamma is not None:  # chi2 has a default of its own, and None is not it
            chosen["gamma"] = self.gamma
        return pairwise_kernels(X, Y, metric=self.metric, filter_params=True, **chosen)

    def diagonal(self, X: Any) -> np.ndarray:
        """(n,) k(x, x), without the n × n matrix where rows can be taken one at a time."""
        if self.metric in ("rbf", "laplacian", "cosine"):
            return np.ones(X.shape[0])
        return np.concatenate([np.diagonal(self(X[i : i + 256])) for i in range(0, X.shape[0], 256)])


DISTANCES: dict[str, Callable[[Any], np.ndarray]] = {
    "rbf": lambda X: euclidean_distances(X, squared=True),
    "laplacian": manhattan_distances,
    "chi2": lambda X: -additive_chi2_kernel(X),
}
POLYNOMIAL = ("poly", "polynomial")


def gamma_family(kernel: Kernel, X: Any) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """K(log γ) and dK/d log γ, for kernels with a width.

    rbf exp(−γ‖x−y‖²), laplacian exp(−γ‖x−y‖₁), chi2 exp(−γ Σ(x−y)²/(x+y)), polynomial (γ xᵀy + c₀)^d.

    Raises
    ------
    UsageError : another kernel.
    """
    if kernel.metric in DISTANCES:
        D = DISTANCES[str(kernel.metric)](X)
        D = (D + D.T) / 2

        def decaying(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scaled = np.exp(v[0]) * D
            K = np.exp(-scaled)
            return K, (-scaled * K)[None]

        return decaying
    if kernel.metric in POLYNOMIAL:
        inner = safe_sparse_dot(X, X.T, dense_output=True)

        def power(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scaled = np.exp(v[0]) * inner
            base = scaled + kernel.coef0
            return base**kernel.degree, (kernel.degree * base ** (kernel.degree - 1) * scaled)[None]

        return power
    raise UsageError(
        "kernel parameters can be optimized for rbf, laplacian, chi2 and polynomial kernels, not for "
        f"{kernel.metric!r}: choose its parameters by hand, or with GridSearchCV"
    )


def gamma_starts(kernel: Kernel, X: Any) -> np.ndarray:
    """(m,) where the search for γ looks first: the γ given, or STARTS of them evenly in log γ.

    From kernels as wide as the data, a tenth of one over the median distance, to kernels that reach the nearest
    neighbour, three over the median distance to it; a hundredth to a hundred times 1/p for polynomials.
    """
    if kernel.gamma is not None:
        return np.array([float(kernel.gamma)])
    if kernel.metric not in DISTANCES:
        return np.geomspace(1e-2, 1e2, STARTS) / X.shape[1]
    D = DISTANCES[str(kernel.metric)](X[:: max(1, X.shape[0] // SAMPLE)])
    apart = np.where(D > 0, D, np.inf)
    if not np.isfinite(apart).any():
        return np.ones(1)
    near = float(np.median(apart.min(axis=1)[np.isfinite(apart.min(axis=1))]))
    wide = float(np.median(D[D > 0]))
    return np.geomspace(0.1 / wide, max(3.0 / near, 1.0 / wide), STARTS)


def transformer_of(e: Any, rows: int) -> Any:
    """scikit-learn's Nystroem or RBFSampler with the face's kernel and its parameters.

    Raises
    ------
    UsageError : a precomputed kernel, or Fourier features of another kernel than rbf.
    """
    from sklearn.kernel_approximation import Nystroem, RBFSampler

    if isinstance(e.kernel, str) and e.kernel == "precomputed":
        raise UsageError(
            "features are made from rows, and a precomputed kernel has none: pass rows and a kernel"
        )
    if e.approximation == "fourier":
        if e.kernel != "rbf":
            raise UsageError(
                f"random Fourier features approximate the rbf kernel, not {e.kernel!r}: use 'nystroem'"
            )
        gamma = e.gamma_ if e.gamma_ is not None else 1.0 / e.n_features_in_
        return RBFSampler(gamma=gamma, n_components=e.n_components, random_state=e.random_state)
    chosen = {"gamma": e.gamma_, "degree": e.degree, "coef0": e.coef0}
    used = {"rbf": ["gamma"], "laplacian": ["gamma"], "chi2": ["gamma"], "sigmoid": ["gamma", "coef0"]}
    used["poly"] = used["polynomial"] = ["gamma", "degree", "coef0"]
    params = {name: chosen[name] for name in used.get(str(e.kernel), [])}
    extra = {"kernel_params": e.kernel_params} if callable(e.kernel) else params
    components = min(e.n_components, rows)
    return Nystroem(kernel=e.kernel, n_components=components, random_state=e.random_state, **extra)


def approximation_error(kernel: Kernel, approximation: str, X: Any, Z: np.ndarray) -> float:
    """What features Z (n, m) lose of the kernel of the rows X.

    nystroem: (tr K − tr K̂)/tr K, as K − K̂ is positive semidefinite, so its trace bounds its norm.
    fourier: ‖K − K̂‖_F/‖K‖_F on SAMPLE evenly spaced rows; every row of Z has about the right length.
    """
    if approximation == "nystroem":
        trace = float(np.sum(kernel.diagonal(X)))
        if not trace > 0:
            raise InputError(
                f"the kernel's diagonal sums to {trace:.3g}, so it is not positive semidefinite: use another"
            )
        return abs(trace - float(np.sum(Z**2))) / trace
    some = slice(None, None, -(-Z.shape[0] // SAMPLE))
    K = kernel(X[some])
    return float(np.linalg.norm(K - Z[some] @ Z[some].T) / np.linalg.norm(K))
