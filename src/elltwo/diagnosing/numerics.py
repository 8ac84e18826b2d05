"""Checks of arithmetic and shape: digits, conditioning, interpolation, more columns than rows."""

from __future__ import annotations

import numpy as np

from elltwo.diagnosing.check import Check, found, number
from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding

DIGITS = 8.0
CONDITION = (
    30.0  # Belsley, Kuh & Welsch, Regression Diagnostics (1980), p. 105: moderate to strong dependencies
)
DEPENDENT = 1e6  # beyond this a linear dependency, up to rounding of the data
PARTS = 0.1  # share of the largest loading that a column needs to be named
FREE_CONDITION = 1e4
LEFT = 1e-6  # share of rows' degrees of freedom left, below which the fit passes through every row


def digits(view: View) -> list[Finding]:
    """The estimate of correct digits that the solution carries."""
    d = view.solution.digits
    if not d < DIGITS:  # at λ = ∞ there is nothing to lose, and no number
        return []
    return found(
        "few-digits", "error" if d < 4 else "warning", d, DIGITS,
        f"About {max(d, 0):.0f} digits of the coefficients are certain: rounding is amplified by nearly dependent "
        "columns at so small a λ.",
        "Remove one of the collinear columns, take a larger λ, or ask for method='svd' (--solver qr for streams).",
    )  # fmt: skip


def conditioning(view: View) -> list[Finding]:
    """Condition number of the standardized columns, so that units do not count."""
    d = view.dependence
    if d is None or not CONDITION < d.condition <= DEPENDENT:
        return []
    return found(
        "ill-conditioned", "info", d.condition, CONDITION,
        f"The standardized columns have condition number {number(d.condition)}: without regularization, coefficients "
        "would swing widely from sample to sample.",
        "Read groups of related columns together rather than one coefficient at a time; the chosen λ steadies them.",
    )  # fmt: skip


def dependency(view: View) -> list[Finding]:
    """A combination of standardized columns that hardly varies at all."""
    d = view.dependence
    if d is None or d.condition <= DEPENDENT:
        return []
    parts = np.abs(d.weakest)
    involved = d.live[parts >= PARTS * parts.max()]
    return found(
        "dependent-columns", "warning", min(d.condition, 1e16), DEPENDENT,
        f"Some columns are a linear combination of others: {view.listed(involved, 6)} hold the same information.",
        "Drop one of them; until then only their combined effect has a meaning, and the penalty divides it among them.",
    )  # fmt: skip


def wide(view: View) -> list[Finding]:
    """More columns than rows."""
    if view.columns < view.rows:
        return []
    return found(
        "more-columns-than-rows", "info", view.columns / view.rows, 1.0,
        f"There are {view.columns} columns for {view.rows} rows: without regularization infinitely many coefficients "
        "fit these rows perfectly.",
        "Trust the cross-validated error, not the fit to these rows; read coefficients as a joint pattern.",
    )  # fmt: skip


def interpolation(view: View) -> list[Finding]:
    """No degree of freedom left: the fit passes through every row."""
    left = (view.rows - float(view.solution.df[view.which])) / view.rows
    if left > LEFT:
        return []
    return found(
        "interpolation", "warning", left, LEFT,
        "The fit passes through every row, so residuals say nothing about its error and no interval can be given.",
        "Take a larger λ or more rows, and judge by cross-validation.",
    )  # fmt: skip


def free_block(view: View) -> list[Finding]:
    """Condition of the unpenalised directions, each scaled to length one."""
    T = view.rotated.spectrum.free.T
    if T.shape[1] < 2:
        return []
    R = np.linalg.pinv(T)
    R = R[:, np.any(R != 0, axis=0)]
    values = np.linalg.svd(R / np.linalg.norm(R, axis=0), compute_uv=False)
    kappa = float(values[0] / max(values[T.shape[1] - 1], 1e-300))
    if kappa < FREE_CONDITION:
        return []
    names = view.listed(np.flatnonzero(view.free_columns), 4) if view.free_columns.any() else "They"
    return found(
        "free-nearly-collinear", "warning", kappa, FREE_CONDITION,
        f"The unpenalised columns are nearly collinear (condition number {number(kappa)}): {names} are not steadied by "
        "any penalty.",
        "Leave fewer columns free, or give them a small strength of their own.",
    )  # fmt: skip


CHECKS = (
    Check(
        "few-digits",
        "The estimate of correct digits of the coefficients is low.",
        "correct digits",
        "8 (error below 4)",
        "warning, error",
        digits,
    ),
    Check(
        "ill-conditioned",
        "Condition number of the standardized columns (Belsley, Kuh and Welsch's scale).",
        "condition number",
        "30",
        "info",
        conditioning,
    ),
    Check(
        "dependent-columns",
        "A column is a linear combination of others, up to rounding; they are named.",
        "condition number",
        "1e6",
        "warning",
        dependency,
    ),
    Check(
        "more-columns-than-rows",
        "The table has at least as many columns as rows.",
        "columns per row",
        "1",
        "info",
        wide,
    ),
    Check(
        "interpolation",
        "The fit passes through every row.",
        "share of degrees of freedom left",
        "1e-6",
        "warning",
        interpolation,
    ),
    Check(
        "free-nearly-collinear",
        "The unpenalised columns depend on each other, and no λ steadies them.",
        "condition number",
        "1e4",
        "warning",
        free_block,
    ),
)
