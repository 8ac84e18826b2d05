"""Checks of single columns and pairs: constant, collinear, inflated, in unequal units, heavily shrunk."""

from __future__ import annotations

import numpy as np

from elltwo.diagnosing.check import Check, found, number
from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding
from elltwo.shrinking.path import coefficients

PAIR = 0.98
VIF = 10.0  # Marquardt, Technometrics 12 (1970) 591, p. 606
UNITS = 100.0
HEAVY = 0.1
CLEAR = 3.0  # |t| without regularization beyond which a column clearly mattered
MOST = 3  # findings of one kind that name their columns one by one


def constant(view: View) -> list[Finding]:
    """Columns that never vary, or nothing but rounding."""
    dead = np.flatnonzero(view.dead)
    if not dead.size:
        return []
    return found(
        "constant-columns", "info", dead.size, 0.0,
        f"{view.listed(dead, 6)} {'does' if dead.size == 1 else 'do'} not vary and cannot help; "
        f"{'its coefficient is' if dead.size == 1 else 'their coefficients are'} not estimated.",
        "Drop them, or check why they were read as constant.",
    )  # fmt: skip


def pairs(view: View) -> list[Finding]:
    """Pairs of columns with almost the same values, up to scale and offset."""
    R = view.correlation
    if R is None or view.columns < 2:
        return []
    upper = np.triu(np.abs(R), 1)
    for group in view.one_hot:  # two levels of a category are each other's opposite by design
        upper[np.ix_(group, group)] = 0.0
    where = np.argwhere(upper > PAIR)
    where = where[np.argsort(-upper[tuple(where.T)])]
    if not where.size:
        return []
    first = ", ".join(f"{view.name(i)} and {view.name(j)} ({R[i, j]:.4f})" for i, j in where[:MOST])
    many = "One pair of columns is" if len(where) == 1 else f"{len(where)} pairs of columns are"
    return found(
        "collinear-pairs", "info", R[tuple(where[0])], PAIR,
        f"{many} almost the same, up to scale and offset: {first}{', and others' if len(where) > MOST else ''}.",
        "Read the coefficients of such a pair as a sum, or drop one; ridge divides a common effect between them.",
    )  # fmt: skip


def vif(view: View, alpha: float = 0.0) -> np.ndarray | None:
    """(p,) variance inflation n·sdⱼ²·Σₖ Vⱼₖ² s²/(s² + λ)², at λ = 0 the classical one; inf for dependent columns.

    Marquardt (1970), eq. 9: the variance of a coefficient over that of an uncorrelated column's.
    """
    if view.V is None or view.factor is None or view.columns >= view.rows:
        return None
    spread = view.rotated.spectrum.weight * view.sd**2
    gain = (view.s / (view.s**2 + alpha)) ** 2 if np.isfinite(alpha) else np.zeros_like(view.s)
    T = view.rotated.spectrum.free.T
    out = spread * ((view.V**2) @ gain + np.einsum("ij,ij->i", T, T))
    d = view.dependence
    if alpha == 0 and d is not None and d.condition > 1e7:
        out[d.live[np.abs(d.weakest) > 1e-6]] = np.inf
    return out


def inflation(view: View) -> list[Finding]:
    """Columns whose unregularized coefficient is blown up by the others."""
    inflated = vif(view)
    if inflated is None:
        return []
    for group in view.one_hot:  # levels of one category inflate each other by design
        inflated[group] = 0.0
    if not np.any(inflated > VIF):
        return []
    order = np.argsort(-inflated)
    many = order[: int(np.sum(inflated > VIF))]
    after = vif(view, view.alpha)
    top, now = order[0], np.nan if after is None else float(after[order[0]])
    return found(
        "variance-inflation", "info", inflated[top], VIF,
        f"{len(many)} of {view.columns} columns have a variance inflation factor above {VIF:.0f} without "
        f"regularization, most {view.name(top)} ({number(float(inflated[top]))}); at the chosen λ it is {number(now)} "
        "(Marquardt's definition).",
        "Do not compare single coefficients with an unregularized fit; compare predictions.",
    )  # fmt: skip


def units(view: View) -> list[Finding]:
    """Penalised columns whose spreads differ so much that the penalty means different things to them."""
    scale = view.rotated.spectrum.scale
    sd = view.sd / np.where(scale > 0, scale, np.inf) if scale is not None else view.sd
    live = np.flatnonzero((sd > 0) & np.isfinite(sd) & ~view.dead)
    if live.size < 2:
        return []
    largest, smallest = live[np.argmax(sd[live])], live[np.argmin(sd[live])]
    ratio = float(sd[largest] / sd[smallest])
    if ratio <= UNITS:
        return []
    return found(
        "unequal-units", "warning", ratio, UNITS,
        f"The penalty treats columns unequally: {view.name(largest)} varies {number(ratio)} times as much as "
        f"{view.name(smallest)}, whose coefficient is therefore shrunk far more.",
        "Standardize (standardize=True, --standardize), or put the columns into comparable units.",
    )  # fmt: skip


def heavy(view: View) -> list[Finding]:
    """Columns that clearly mattered without regularization and nearly vanish with it."""
    if view.V is None or not np.isfinite(view.alpha) or view.alpha == 0 or view.columns >= view.rows:
        return []
    r, sigma2 = view.rotated, float(view.solution.sigma2[view.which])
    if r.spectrum.dropped or not np.isfinite(sigma2):
        return []
    plain = coefficients(r, r.z / r.spectrum.s[:, None])[:, view.which]
    error = np.sqrt(sigma2 * ((view.V**2) @ (1 / view.s**2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        t, kept = np.abs(plain) / error, np.abs(view.coef) / np.abs(plain)
    hit = np.flatnonzero((t > CLEAR) & (kept < HEAVY) & ~view.free_columns)
    hit = hit[np.argsort(kept[hit])]
    out: list[Finding] = []
    for j in hit[:MOST]:
        out += found(
            "heavy-shrinkage", "warning", kept[j], HEAVY,
            f"{view.name(j)} clearly mattered without regularization (|t| = {number(float(t[j]))}) and keeps "
            f"{kept[j]:.0%} of its coefficient.",
            "If this column is known to matter, leave it free of penalty, give it a smaller strength, or standardize.",
        )  # fmt: skip
    return out


CHECKS = (
    Check(
        "constant-columns",
        "Columns that do not vary; they get no coefficient.",
        "how many columns",
        "0",
        "info",
        constant,
    ),
    Check(
        "collinear-pairs",
        "Pairs of columns that are almost the same up to scale and offset; the three closest are named.",
        "largest correlation",
        "0.98",
        "info",
        pairs,
    ),
    Check(
        "variance-inflation",
        "Variance inflation factors without regularization, and at the chosen λ (Marquardt's definition).",
        "largest factor",
        "10",
        "info",
        inflation,
    ),
    Check(
        "unequal-units",
        "Spreads of the penalised columns differ so much that the penalty falls on the small ones alone.",
        "ratio of standard deviations",
        "100",
        "warning",
        units,
    ),
    Check(
        "heavy-shrinkage",
        "A column with |t| > 3 without regularization keeps less than a tenth of its coefficient.",
        "share kept",
        "0.1",
        "warning",
        heavy,
    ),
)
