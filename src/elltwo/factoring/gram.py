"""Spectrum from moments: eigenvectors of the centred Gram matrix, for tall designs and for streams."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from elltwo.errors import InputError
from elltwo.factoring.centre import centre_targets, centred_moments, spread
from elltwo.factoring.clean import gram_floor, keep
from elltwo.factoring.standard_form import StandardForm, standard_form
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Penalty, Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import DenseMap, Free, ImplicitRows, Origin, Spectrum
from elltwo.tables.moments.dense import choose_shift, design_moments


@dataclass(frozen=True)
class GramFactor:
    """Eigenvectors of a centred Gram matrix in standard form.

    s : (k,) descending; V : (p, k) map to coefficients; T_free : (p, q); dropped : count.
    """

    s: np.ndarray
    V: np.ndarray
    T_free: np.ndarray
    dropped: int


def factor_gram(problem: Problem, reason: str) -> Rotated:
    """Spectrum and rotated targets from one pass over the rows; U stays implicit."""
    shift = choose_shift(problem.A)
    [m] = design_moments(problem.A, problem.b, problem.weights, shift=shift)
    return factor_total(problem, m, Origin("gram", reason, squared=True))


def factor_total(problem: Problem, m: DesignMoments, origin: Origin) -> Rotated:
    """Spectrum and rotated targets from the moments of all rows, which stay attached as implicit U.

    The targets have met the prior mean already; it is carried along to be added back.
    """
    rotated = factor_moments(m, replace(problem.penalty, x0=None), problem.intercept, origin)
    b, _ = centre_targets(problem.b, problem.weights, problem.intercept)
    shift = m.shift_x if np.any(m.shift_x) else None
    root = None if problem.weights is None else np.sqrt(problem.weights)
    return with_rows(rotated, problem, shift, root, b)


def factor_moments(
    m: DesignMoments, penalty: Penalty, intercept: bool = True, origin: Origin | None = None
) -> Rotated:
    """Spectrum and rotated targets from moments alone; no rows."""
    origin = origin or Origin("moments", "only moments were kept, so the row side is absent", squared=True)
    _refuse_not_finite(m)
    c = centred_moments(m, intercept)
    if penalty.x0 is not None:
        c = subtract_prior(c, penalty.x0)
    form = penalty_form(c, penalty)
    factor = eigen_factor(c.xx, form, m.count - int(intercept))
    z = (factor.V.T @ c.xy) / factor.s[:, None]
    free = factor.T_free.T @ c.xy
    inside = np.maximum(c.yy - np.einsum("ij,ij->j", free, free), 0.0)
    spectrum = Spectrum(
        s=factor.s,
        map=DenseMap(factor.V),
        rows=None,
        free=Free(intercept, c.shift_x, factor.T_free),
        shape=(m.count, c.shift_x.size),
        weight=m.weight,
        dropped=factor.dropped,
        origin=origin,
        x0=penalty.x0,
        scale=form.diagonal,
    )
    rest = np.maximum(inside - np.einsum("ij,ij->j", z, z), 0.0)
    rest = rest * (0.0 if spectrum.full_row_rank else 1.0)
    return Rotated(spectrum, z, free, c.shift_y, rest, inside)


def _refuse_not_finite(m: DesignMoments) -> None:
    """Any NaN, infinity or overflowing square among the rows shows on the diagonal."""
    if not np.all(np.isfinite(np.diagonal(m.xx))):
        raise InputError(
            "rows with NaN, infinite or overflowing values went into the moments: leave them out, or divide "
            "their columns by a power of ten"
        )


def eigen_factor(G: np.ndarray, form: StandardForm, rows: int) -> GramFactor:
    """Eigenvectors of G (p, p) in standard form, free directions projected out first.

    With B = TᵀGP the projected Gram matrix is PᵀGP − BᵀB (a Schur complement), and
    V = (P − T B) W for its eigenvectors W.
    """
    T_free = _free_directions(G, form.null, rows)
    M = form.of_gram(G)
    B = form.of_columns(T_free.T @ G)
    if T_free.shape[1]:
        M = M - B.T @ B
    k0 = M.shape[0]
    if k0 == 0:
        return GramFactor(np.zeros(0), np.zeros((form.p, 0)), T_free, 0)
    squares, W = linalg.eigh((M + M.T) / 2, driver="evd", check_finite=False, overwrite_a=True)
    s = np.sqrt(np.maximum(squares[::-1], 0.0))
    allowed = min(max(rows - T_free.shape[1], 0), k0)
    k = keep(s, gram_floor(k0), allowed)
    W = np.ascontiguousarray(W[:, ::-1][:, :k])
    V = form.lift(W)
    if T_free.shape[1]:
        V = V - T_free @ (B @ W)
    return GramFactor(s[:k], V, T_free, allowed - k)


def with_rows(
    rotated: Rotated, problem: Problem, shift: np.ndarray | None, root: np.ndarray | None, b: np.ndarray
) -> Rotated:
    """Attach the implicit row side U = √w(A − m)V/s."""
    s = rotated.spectrum
    V = s.map.toarray()
    centre = s.free.mean if shift is None else s.free.mean - shift
    rows = ImplicitRows(problem.A, shift, centre, root, V / s.s, s.free.T)
    return replace(rotated, spectrum=replace(s, rows=rows, x0=problem.penalty.x0, root=root), b=b)


def penalty_form(c: DesignMoments, penalty: Penalty) -> StandardForm:
    """Standard form whose standardization is that of these centred moments."""
    sd = spread(np.diagonal(c.xx), c.weight, c.shift_x) if penalty.standardize else None
    return standard_form(penalty, c.shift_x.size, sd)


def subtract_prior(c: DesignMoments, x0: np.ndarray) -> DesignMoments:
    """Moments of y − Ax0 in place of y, from centred moments."""
    x0 = np.broadcast_to(x0.reshape(x0.shape[0], -1), c.xy.shape)
    yy = c.yy - 2 * np.einsum("ij,ij->j", x0, c.xy) + np.einsum("ij,ij->j", x0, c.xx @ x0)
    return DesignMoments(
        c.count,
        c.weight,
        c.shift_x,
        c.shift_y - c.shift_x @ x0,
        c.first_x,
        c.first_y - c.first_x @ x0,
        c.xx,
        c.xy - c.xx @ x0,
        np.maximum(yy, 0.0),
    )


def _free_directions(G: np.ndarray, null: np.ndarray, rows: int) -> np.ndarray:
    """T (p, q) with TᵀGT = I, spanning the null space of L as far as the rows can see it.

    Each column of N is measured by the square it would have without cancellation, so that dummies which add up
    to the constant are not taken for a direction of rounding's length.
    """
    if null.shape[1] == 0:
        return null
    size = np.abs(null)
    reach = np.sqrt(np.einsum("pj,pj->j", size, np.abs(G) @ size))
    null = null / np.where(reach > 0, reach, 1.0)
    squares, W = np.linalg.eigh(null.T @ G @ null)
    # sums over many rows round like √rows; measured on spline bases of 2e3 to 4e5 rows, a tenth of this at most
    good = squares > 10 * max(G.shape[0], np.sqrt(rows)) * np.finfo(float).eps
    return null @ (W[:, good] / np.sqrt(squares[good]))
