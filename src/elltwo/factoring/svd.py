"""Spectrum by a thin SVD of the centred design: the accurate way, for small or ill-conditioned designs."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from elltwo.factoring.centre import Centred, centre_dense, spread
from elltwo.factoring.clean import keep, svd_floor
from elltwo.factoring.standard_form import StandardForm, standard_form
from elltwo.facts.problem import Penalty, Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import DenseMap, DenseRows, Free, Origin, Spectrum


def factor_svd(problem: Problem, reason: str) -> Rotated:
    """Spectrum and rotated targets by SVD of √w(A − m) in standard form."""
    c = centre_dense(problem.A, problem.b, problem.weights, problem.intercept)
    form = standard_form(problem.penalty, c.A.shape[1], _sd(c, problem.penalty))
    return svd_of(c, form, problem, Origin("svd", reason, squared=False))


def svd_of(c: Centred, form: StandardForm, problem: Problem, origin: Origin) -> Rotated:
    """Spectrum of a centred design in a given standard form."""
    Q, T_free = free_block(c.A @ form.null, form.null, _reach(c, form.null))
    M = form.of_columns(c.A)
    coupling = Q.T @ M  # (q, k0): what the free block takes from each penalised column
    if Q.shape[1]:
        M = M - Q @ coupling
    U, s, Vt = _thin_svd(M)
    rank_free = Q.shape[1] + int(problem.intercept)
    k = keep(s, svd_floor(M.shape), max(M.shape[0] - rank_free, 0))
    allowed = min(M.shape[0] - rank_free, M.shape[1])
    V = form.lift(Vt[:k].T) - T_free @ (coupling @ Vt[:k].T)
    spectrum = Spectrum(
        s=s[:k],
        map=DenseMap(V),
        rows=DenseRows(U[:, :k], Q),
        free=Free(problem.intercept, c.mean, T_free),
        shape=c.A.shape,
        weight=c.weight,
        dropped=max(allowed - k, 0),
        origin=origin,
        x0=problem.penalty.x0,
        root=c.root,
        scale=form.diagonal,
    )
    return rotate_dense(spectrum, c.b, c.mean_b)


def rotate_dense(spectrum: Spectrum, b: np.ndarray, mean_b: np.ndarray) -> Rotated:
    """Coordinates of centred, weighted targets b (n, t) when U and Q are arrays."""
    rows = spectrum.rows
    assert isinstance(rows, DenseRows)
    z, free = rows.U.T @ b, rows.Q.T @ b
    inside = b - rows.Q @ free
    rest = inside - rows.U @ z
    return Rotated(
        spectrum=spectrum,
        z=z,
        free=free,
        mean=mean_b,
        rest=np.einsum("ij,ij->j", rest, rest) * (0.0 if spectrum.full_row_rank else 1.0),
        total=np.einsum("ij,ij->j", inside, inside),
        b=b,
    )


def _thin_svd(M: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if 0 in M.shape:
        return np.zeros((M.shape[0], 0)), np.zeros(0), np.zeros((0, M.shape[1]))
    try:
        return linalg.svd(M, full_matrices=False, lapack_driver="gesdd", check_finite=False)
    except np.linalg.LinAlgError:  # gesdd gives up on some graded matrices; gesvd does not
        return linalg.svd(M, full_matrices=False, lapack_driver="gesvd", check_finite=False)


def free_block(F: np.ndarray, null: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal Q (n, q) of the free columns F = A N, and T (p, q) with A T = Q.

    ``reach`` (q,) is the length that each column of F would have without cancellation. What is left of less than
    rounding of it is a direction that A does not see: dummies that add up to the constant, say. It gets nothing.
    """
    if F.shape[1] == 0:
        return F, null
    unit = 1.0 / np.where(reach > 0, reach, 1.0)
    U, s, Vt = _thin_svd(F * unit)
    q = int(np.sum(s > svd_floor(F.shape)))
    return U[:, :q], (null * unit) @ (Vt[:q].T / s[:q])


def _reach(c: Centred, null: np.ndarray) -> np.ndarray:
    """(q,) lengths of √w(|A − m| + |m|)|N|."""
    size = np.abs(null)
    root = np.ones(c.A.shape[0]) if c.root is None else c.root
    return np.asarray(np.linalg.norm(np.abs(c.A) @ size + np.outer(root, np.abs(c.mean) @ size), axis=0))


def _sd(c: Centred, penalty: Penalty) -> np.ndarray | None:
    if not penalty.standardize:
        return None
    return spread(np.einsum("ij,ij->j", c.A, c.A), c.weight, c.mean)
