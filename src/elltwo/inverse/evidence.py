"""What a reconstruction rests on, as numbers: Picard plot, L-curve, resolution, posterior spread.

Each returns a named object that figures draw and reports print.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from elltwo.errors import InputError, UsageError
from elltwo.factoring.krylov_spectrum import KrylovMap
from elltwo.facts.rotated import Rotated
from elltwo.inverse.prepare import Prepared
from elltwo.inverse.reconstruction import Reconstruction
from elltwo.laws.ridge import filter_factors
from elltwo.shrinking import picard as shrinking
from elltwo.shrinking.picard import LCurve, Picard


def picard(answer: Reconstruction) -> Picard:
    """Data of the Picard plot (first target)."""
    return shrinking.picard(
        answer.rotated, float(answer.solution.alpha[0]), float(np.atleast_1d(answer.noise)[0])
    )


def l_curve(answer: Reconstruction, points: int = 120) -> LCurve:
    """Data of the L-curve over the strengths that the spectrum spans (first target)."""
    return shrinking.l_curve(answer.rotated, float(answer.solution.alpha[0]), points)


def resolution(answer: Reconstruction) -> np.ndarray:
    """(n, n) R with E x_λ = R x for true x and x0 = 0: R = V f V⁺ + free part.

    Column j is the reconstruction of a unit spike. V⁺ is found from V itself, so this asks for a
    spectrum that keeps every direction and for n of a few thousand at most.
    """
    r = answer.rotated
    V, T = _map(r), r.spectrum.free.T
    f = filter_factors(r.spectrum.s, answer.solution.alpha[:1])[:, 0]
    basis = np.hstack([V, T])
    inverse = np.linalg.pinv(basis)
    return basis @ (np.concatenate([f, np.ones(T.shape[1])])[:, None] * inverse)


def posterior_sd(answer: Reconstruction) -> np.ndarray:
    """(n,) standard deviation of x given b, prior N(x0, σ²/α (LᵀL)⁻¹) and the noise of the answer.

    cov = σ²(V (S² + α)⁻¹ Vᵀ + T Tᵀ), exact where no direction is missing. With L = I missing directions
    keep their prior variance σ²/α, which is exact for them. After k Golub–Kahan steps AᵀA is bounded
    below by that part of it which the steps have seen, and the spread from above, more closely with
    every step. Calvetti, Hansen & Reichel, ETNA 15 (2003) 2.

    Raises
    ------
    UsageError
        After Golub–Kahan steps with an L that is not the identity.
    InputError
        If A and L leave a direction undetermined together.
    """
    r, alpha = answer.rotated, float(answer.solution.alpha[0])
    sigma, mapping = float(np.atleast_1d(answer.noise)[0]), r.spectrum.map
    if isinstance(mapping, KrylovMap) and mapping.form.lift is None:
        _, s, Wt = np.linalg.svd(mapping.square)
        return sigma * _spread(mapping.vectors.T @ Wt.T, s, alpha)
    s, V, T = r.spectrum.s, _map(r), r.spectrum.free.T
    if s.size + T.shape[1] >= V.shape[0] and not isinstance(mapping, KrylovMap):
        return sigma * np.sqrt((V**2) @ (1.0 / (s**2 + alpha)) + (T**2).sum(axis=1))
    lengths_are_one = np.allclose(np.einsum("ij,ij->j", V, V), 1.0, atol=1e-6)
    if not lengths_are_one or T.shape[1]:
        if not isinstance(mapping, KrylovMap):
            return sigma * _stacked_spread(answer.problem, alpha)
        raise UsageError(
            "the posterior spread needs every direction when L is not the identity, and steps see only some: "
            "use method='svd' or 'bidiagonal', or L=None"
        )
    return sigma * _spread(V, s, alpha)


def _spread(V: np.ndarray, s: np.ndarray, alpha: float) -> np.ndarray:
    """(n,) √diag((AᵀA + α)⁻¹) for orthonormal V: what V does not span keeps 1/α."""
    missing = np.maximum(1 - (V**2).sum(axis=1), 0.0) / alpha
    return np.sqrt((V**2) @ (1.0 / (s**2 + alpha)) + missing)


def _stacked_spread(p: Prepared, alpha: float) -> np.ndarray:
    """(n,) √diag((AᵀA + αLᵀL)⁻¹) = row norms of R⁻¹, where R is the triangle of A stacked on √α L."""
    assert p.L is not None
    R = linalg.qr(np.vstack([p.A.todense(), np.sqrt(alpha) * p.L.todense()]), mode="r")[0][: p.A.shape[1]]
    try:
        inverse = linalg.solve_triangular(R, np.eye(R.shape[0]), check_finite=False)
    except linalg.LinAlgError as error:
        raise InputError(
            "A and L leave a direction undetermined together, so its spread is infinite: use another L"
        ) from error
    return np.sqrt((inverse**2).sum(axis=1))


def _map(r: Rotated) -> np.ndarray:
    return np.asarray(r.spectrum.map.toarray())
