"""What a caller gives beside A, as arrays that can be used: data, prior mean, noise, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy import linalg

from elltwo.errors import InputError
from elltwo.operators import Operator

SMALLEST, LARGEST = 1e-140, 1e140  # squares of numbers beyond these leave double precision


@dataclass(frozen=True)
class Whitening:
    """What makes the noise white.

    Attributes
    ----------
    scale : None, (m,) factors of the rows, or (m, m) a matrix.
    noise : standard deviation of each whitened datum, where it is known.
    """

    scale: np.ndarray | None
    noise: float | None


def numbers(value: Any, name: str) -> np.ndarray:
    """The value as an array of real numbers.

    Raises
    ------
    InputError : it is complex, or holds no numbers, or numbers whose squares overflow or vanish.
    """
    given = value.toarray() if sp.issparse(value) else np.asarray(value)
    if np.iscomplexobj(given):
        raise InputError(
            f"{name} is complex, and elltwo works on real problems: stack real and imaginary parts"
        )
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold numbers; got dtype {given.dtype}")
    return np.asarray(given, dtype=np.float64)


def check_size(largest: float, name: str) -> None:
    """Refuse numbers whose squares leave double precision."""
    if largest and np.isfinite(largest) and not SMALLEST < largest < LARGEST:
        raise InputError(
            f"{name} reaches {largest:.0e}, whose square double precision cannot hold: multiply it by a power of ten"
        )


def data_of(b: Any, A: Operator) -> np.ndarray:
    """(m, t) finite data with as many rows as A; a picture of A's image shape becomes one column."""
    data = numbers(b, "b")
    if data.shape == tuple(A.image_shape or ()) and data.size == A.shape[0]:
        data = data.reshape(-1)
    if data.ndim not in (1, 2) or data.shape[0] != A.shape[0]:
        raise InputError(f"b must have {A.shape[0]} rows like A, of shape {A.shape}; got shape {np.shape(b)}")
    bad = ~np.isfinite(data)
    if bad.any():
        raise InputError(
            f"b holds {int(bad.sum())} values that are NaN or infinite, the first in row "
            f"{int(np.argwhere(bad)[0][0])}: drop those rows of A and b"
        )
    check_size(float(np.abs(data).max(initial=0.0)), "b")
    return data.reshape(A.shape[0], -1)


def prior_of(x0: Any, n: int, targets: int) -> np.ndarray:
    """(n,) or (n, t) finite prior mean."""
    prior = numbers(x0, "x0")
    if prior.size == n:
        prior = prior.reshape(n)
    elif prior.shape != (n, targets):
        raise InputError(f"x0 must have shape ({n},) or ({n}, {targets}); got {prior.shape}")
    if not np.isfinite(prior).all():
        raise InputError("x0 holds NaN or infinity: give a finite prior mean")
    return prior


def whitening(noise: Any, weights: Any, m: int) -> Whitening:
    """From a number, a vector or a covariance of noise, or from weights of squared residuals."""
    if weights is not None and noise is not None and np.ndim(noise) > 0:
        raise InputError("give weights or a noise vector or covariance, not both: they say the same thing")
    if weights is not None:
        w = numbers(weights, "weights")
        if w.shape != (m,) or not np.isfinite(w).all() or (w < 0).any() or not (w > 0).any():
            raise InputError(f"weights must be {m} numbers >= 0, not all zero; got shape {w.shape}")
        return Whitening(np.sqrt(w), _sigma(noise))
    if noise is None or (np.ndim(noise) == 0 and not sp.issparse(noise)):
        return Whitening(None, _sigma(noise))
    cov = numbers(noise, "noise")
    if cov.shape == (m,):
        if not (np.isfinite(cov).all() and (cov > 0).all()):
            raise InputError("a noise vector holds each datum's standard deviation, finite and > 0")
        return Whitening(1.0 / cov, 1.0)
    if cov.shape != (m, m):
        raise InputError(
            f"noise must be a number, {m} standard deviations, or a ({m}, {m}) covariance; got shape {cov.shape}"
        )
    return Whitening(_half_inverse(cov), 1.0)


def _half_inverse(cov: np.ndarray) -> np.ndarray:
    """C⁻¹ with C Cᵀ = cov."""
    largest = float(np.abs(cov).max())
    try:
        if not np.abs(cov - cov.T).max() <= 1e-8 * largest:
            raise linalg.LinAlgError
        C = linalg.cholesky(cov, lower=True)
    except (linalg.LinAlgError, ValueError):
        raise InputError(
            "the noise covariance is not symmetric positive definite: check its eigenvalues"
        ) from None
    return linalg.solve_triangular(C, np.eye(cov.shape[0]), lower=True)


def _sigma(noise: Any) -> float | None:
    if noise is None:
        return None
    if not isinstance(noise, str) and not np.iscomplexobj(noise) and np.isfinite(noise) and noise >= 0:
        return float(noise)
    raise InputError(f"noise is the standard deviation of each datum, a number >= 0; got {noise!r}")
