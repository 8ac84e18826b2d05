"""Does Aᵀ belong to A? One random probe answers, with a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.errors import InputError


@dataclass(frozen=True)
class AdjointCheck:
    """The two inner products of one random probe.

    Attributes
    ----------
    forward : float
        ⟨A x, y⟩.
    adjoint : float
        ⟨x, Aᵀ y⟩.
    mismatch : float
        |⟨A x, y⟩ − ⟨x, Aᵀ y⟩| / (‖A x‖‖y‖ + ‖x‖‖Aᵀ y‖): rounding error if Aᵀ is the adjoint.
    """

    forward: float
    adjoint: float
    mismatch: float


def adjoint_mismatch(A: Any, seed: int = 0) -> AdjointCheck:
    """Measure ⟨A x, y⟩ − ⟨x, Aᵀ y⟩ for Gaussian x and y.

    Raises
    ------
    InputError
        If A has no adjoint, or returns values that are complex or not finite.
    """
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal(A.shape[1]), rng.standard_normal(A.shape[0])
    forward = _product(A, "matvec", x, "A x")
    try:
        back = _product(A, "rmatvec", y, "Aᵀ y")
    except NotImplementedError:  # SciPy's answer where an operator was given no rmatvec
        raise InputError(
            "the operator has no adjoint (rmatvec), and every method here multiplies by Aᵀ: "
            "give rmatvec to the LinearOperator"
        ) from None
    left, right = float(forward @ y), float(x @ back)
    scale = np.linalg.norm(forward) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(back)
    return AdjointCheck(left, right, abs(left - right) / float(scale) if scale else 0.0)


def check_adjoint(A: Any, seed: int = 0, tolerance: float | None = None) -> AdjointCheck:
    """Refuse an operator whose adjoint is wrong, naming the measured mismatch.

    The default tolerance is 100·√max(m, n)·eps of the operator's dtype.

    Raises
    ------
    InputError
        If the mismatch is above the tolerance, or for the reasons of :func:`adjoint_mismatch`.
    """
    measured = adjoint_mismatch(A, seed)
    eps = float(np.finfo(np.dtype(A.dtype)).eps)
    allowed = 100 * np.sqrt(max(A.shape)) * eps if tolerance is None else tolerance
    if measured.mismatch > allowed:
        raise InputError(
            f"the operator's adjoint is wrong: for random x and y, ⟨Ax, y⟩ = {measured.forward:.6g} but "
            f"⟨x, Aᵀy⟩ = {measured.adjoint:.6g}, a relative mismatch of {measured.mismatch:.1e} "
            f"(at most {allowed:.0e} is rounding): correct rmatvec"
        )
    return measured


def has_adjoint(A: Any) -> bool:
    """Does the operator say how to multiply by Aᵀ?"""
    try:
        A.rmatvec(np.zeros(A.shape[0]))
    except NotImplementedError:  # SciPy's answer where an operator was given no rmatvec
        return False
    return True


def _product(A: Any, method: str, v: np.ndarray, name: str) -> np.ndarray:
    """Return the product as a real, finite vector, or refuse."""
    try:
        out = np.asarray(getattr(A, method)(v)).ravel()
    except ValueError as error:
        raise InputError(
            f"{name} failed for a vector of {v.size} numbers ({error}): the operator says that its shape is "
            f"{tuple(A.shape)}, so correct its products or its shape"
        ) from error
    if np.iscomplexobj(out):
        raise InputError(
            f"{name} is complex, and elltwo works on real problems: stack real and imaginary parts"
        )
    if not np.isfinite(out).all():
        raise InputError(
            f"{name} has {int((~np.isfinite(out)).sum())} values that are not finite for a finite vector: "
            "repair the operator"
        )
    return out
