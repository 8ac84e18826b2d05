"""Coefficients, what they were without regularization, how sure they are; and their path over λ."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtrit

from elltwo.diagnosing.view import View
from elltwo.shrinking.path import coefficients, path

LEVEL = 0.95
LINES = 60
TABLE = 400


def per_sd(view: View) -> np.ndarray:
    """(p,) what turns a coefficient into the effect of one standard deviation of its column; 1 where unknown."""
    sd = view.sd
    return np.where(np.isfinite(sd), sd, 1.0)


def unregularized(view: View) -> np.ndarray:
    """(p,) coefficients at λ = 0, of least length where there are many."""
    r = view.rotated
    return coefficients(r, r.z / np.where(r.spectrum.s > 0, r.spectrum.s, np.inf)[:, None])[:, view.which]


def posterior_sd(view: View) -> np.ndarray | None:
    """(p,) standard deviation of each coefficient given the data, prior N(x0, σ²/λ) on penalised ones.

    σ²(Σⱼ Vᵢⱼ²/(sⱼ² + λ) + Σ_q T_iq² + (1/dᵢ² − Σⱼ Vᵢⱼ²)/λ); the last term is the prior in directions that no
    row touches, present where the design is wide or truncated and L = diag(d).
    Bishop, Pattern Recognition and Machine Learning (2006), eq. 3.51.
    """
    sigma2, alpha = float(view.solution.sigma2[view.which]), view.alpha
    if view.V is None or not sigma2 >= 0:
        return None
    T = view.rotated.spectrum.free.T
    out = np.einsum("ij,ij->i", T, T)
    if alpha == np.inf:
        return np.sqrt(sigma2 * out)
    out = out + (view.V**2) @ (1.0 / (view.s**2 + alpha))
    unseen = _unseen(view)
    if np.any(unseen > 0):
        if alpha == 0:
            return None
        out = out + unseen / alpha
    return np.sqrt(sigma2 * out)


def _unseen(view: View) -> np.ndarray:
    """(p,) share of each coefficient's prior variance (times λ/σ²) that no row informs."""
    assert view.V is not None
    spectrum = view.rotated.spectrum
    if view.s.size + spectrum.free.T.shape[1] >= view.columns:
        return np.zeros(view.columns)
    scale = np.ones(view.columns) if spectrum.scale is None else spectrum.scale
    penalised = (scale > 0) & ~view.dead
    whole = np.divide(1.0, scale**2, out=np.zeros(view.columns), where=penalised)
    left = np.where(penalised, whole - np.einsum("ij,ij->i", view.V, view.V), 0.0)
    return np.where(left > 1e-9 * whole, left, 0.0)


def table(view: View) -> dict[str, Any]:
    """Rows of the coefficient table, the largest effects first."""
    effect, plain, sd = per_sd(view), unregularized(view), posterior_sd(view)
    left = view.rows - float(view.solution.df[view.which])
    reach = None if sd is None else float(stdtrit(max(left, 1.0), 0.5 + LEVEL / 2)) * sd
    order = np.argsort(-np.abs(view.coef * effect), kind="stable")
    free = view.free_columns
    rows = [
        {
            "name": view.names[j], "index": int(j), "value": view.coef[j], "plain": plain[j], "unit": effect[j],
            "effect": view.coef[j] * effect[j], "plain_effect": plain[j] * effect[j],
            "low": None if reach is None else (view.coef[j] - reach[j]),
            "high": None if reach is None else (view.coef[j] + reach[j]),
            "free": bool(free[j]), "constant": bool(view.dead[j]),
        }
        for j in order[:TABLE]
    ]  # fmt: skip
    return {
        "rows": rows,
        "of": view.columns,
        "level": LEVEL,
        "known_sd": bool(np.isfinite(view.sd).all()),
        "why_no_intervals": None if sd is not None else _why_not(view),
    }


def _why_not(view: View) -> str:
    if view.V is None:
        return "the table is too wide for intervals in a report"
    if not np.isfinite(view.solution.sigma2[view.which]):
        return "no degree of freedom is left to estimate the noise"
    return "without a penalty, directions that no row touches have no interval"


def path_lines(view: View, alphas: np.ndarray) -> dict[str, Any]:
    """The effect of one standard deviation of each column over λ, for the columns with the largest."""
    chunk = [
        path(view.rotated, part)
        for part in np.array_split(alphas, max(1, alphas.size * view.columns // 10**7))
    ]
    lines = np.concatenate([p.coef[:, :, view.which] for p in chunk]) * per_sd(view)  # (L, p)
    at = np.abs(view.coef * per_sd(view))
    importance = at + 0.25 * np.median(np.abs(lines), axis=0)
    keep = np.argsort(-importance, kind="stable")[:LINES]
    return {
        "alphas": alphas,
        "df": np.concatenate([p.df for p in chunk]),
        "columns": [{"name": view.names[j], "index": int(j), "values": lines[:, j]} for j in keep],
        "of": view.columns,
        "known_sd": bool(np.isfinite(view.sd).all()),
    }
