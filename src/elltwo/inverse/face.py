"""The one call for inverse problems."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from elltwo.errors import ChoiceWarning, InputError
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.facts.strength import Strength
from elltwo.inverse.doubts import doubts
from elltwo.inverse.prepare import Prepared, prepare
from elltwo.inverse.reconstruction import Reconstruction
from elltwo.inverse.route import choose_method, rotated_for
from elltwo.inverse.rules import chosen_rule, other_rules
from elltwo.selecting import select
from elltwo.selecting.registry import find_rule
from elltwo.shrinking import shrink
from elltwo.shrinking.secular import alpha_for_radius, alpha_for_residual, per_target


def reconstruct(
    A: Any,
    b: Any,
    *,
    L: Any = None,
    rule: str = "auto",
    lam: Any = None,
    alpha: Any = None,
    radius: Any = None,
    residual: Any = None,
    noise: Any = None,
    x0: Any = None,
    weights: Any = None,
    bounds: Any = None,
    grid: tuple[int, ...] | None = None,
    method: str = "auto",
    steps: int | None = None,
    probes: int | None = None,
    others: bool | tuple[str, ...] = True,
    seed: int = 0,
) -> Reconstruction:
    """Solve min ‖A x − b‖² + α‖L(x − x0)‖², α = λ² chosen from the data.

    Parameters
    ----------
    A : array, SciPy sparse, LinearOperator, PyLops operator or elltwo operator, shape (m, n)
    b : array, shape (m,), (m, t) or the operator's image shape
    L : None, ``"first"``, ``"second"``, ``"gradient"``, ``"laplacian"``, an order, a matrix or operator
        What is penalised; what it cannot see (a constant, a line) stays free.
    rule : ``"auto"`` (discrepancy if ``noise`` is known, else robust GCV) or a name in ``elltwo.selecting.RULES``
    lam, alpha : a strength of your own; lam = √alpha.
    radius, residual : ask for ‖L(x − x0)‖ ≤ radius or ‖A x − b‖ ≤ residual instead; λ follows from a secular equation.
        These four are one number, or one per column of b.
    noise : each datum's standard deviation, a vector of them, or a covariance matrix (the problem is whitened).
    weights : (m,) multiplying squared residuals.
    x0 : prior mean.
    bounds : (low, high), numbers or vectors; ``(0, None)`` for nonnegativity. λ is still chosen.
    grid : shape in which x is a field, where A does not say.
    method : ``"auto"``, ``"structured"``, ``"bidiagonal"``, ``"svd"`` or ``"golub_kahan"``.
    steps, probes, seed : Golub–Kahan steps (default: until λ stands still) and random probes for its traces
        (default: one; more where there are fewer than 1000 data, of which one probe would say too little; none but
        all singular values up to 300).
    others : rules to evaluate beside the one that decides.

    Returns
    -------
    Reconstruction

    Raises
    ------
    InputError
        For data or operators that cannot be used; one sentence says what to do.
    UsageError
        For a rule that cannot work here; the message names those that can.

    Warns
    -----
    ChoiceWarning
        When rules disagree, the choice sits on an edge, or the boundary does not fit.
    """
    asked = {"lam": lam, "alpha": alpha, "radius": radius, "residual": residual}
    given = {name: value for name, value in asked.items() if value is not None}
    if len(given) > 1:
        raise InputError(f"give one of lam, alpha, radius and residual; got {', '.join(given)}")
    for name, count, least in (("steps", steps, 1), ("probes", probes, 0)):
        if count is not None and (not isinstance(count, int | np.integer) or count < least):
            raise InputError(f"{name} must be a whole number of at least {least}; got {count!r}")
    p = prepare(A, b, L, noise, x0, weights, grid, seed)
    needs_rows = rule != "auto" and "rows" in find_rule(rule).needs
    how = choose_method(p, method, needs_rows)
    rotated = rotated_for(p, how, rule, steps, probes, seed)
    if rotated.spectrum.s.size == 0 and rotated.spectrum.free.rank == 0 and not np.any(p.A @ _probe(p, seed)):
        raise InputError("A is zero: the data say nothing about x")
    selection = _select(rotated, rule, given, others)
    solution = shrink(rotated, selection.alpha)
    if bounds is not None:
        from elltwo.inverse.bounded import bounded

        selection, solution = bounded(p, rotated, selection, bounds, bool(given), seed)
    return _answer(p, rotated, selection, solution, grid)


def _probe(p: Prepared, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(p.A.shape[1])


def _select(r: Rotated, rule: str, given: dict[str, Any], others: bool | tuple[str, ...]) -> Selection:
    """Choose by the rule, or take what was asked for; the other rules are heard either way."""
    heard = other_rules(others)
    if not given:
        return _in_root(select(r, chosen_rule(rule, r), others=heard))
    [(name, asked)] = given.items()
    alpha = _asked(r, name, asked)
    curves = select(r, chosen_rule("rgcv", r), others=heard)
    said = ", ".join(f"{v:g}" for v in np.ravel(asked)[:3]) + (", …" if np.size(asked) > 3 else "")
    sentence = f"λ = {np.sqrt(alpha[0]):.4g} from {name} = {said}, as asked."
    edge = "zero" if alpha[0] == 0 else "infinity" if np.isinf(alpha[0]) else ""
    return Selection(
        "given", alpha, np.full(r.targets, np.nan), curves.curves, curves.choices, edge, sentence
    )


def _in_root(selection: Selection) -> Selection:
    """The sentence in this room's λ, which multiplies L: the root of the strength beside the square."""
    low, high = float(np.sqrt(selection.alpha.min())), float(np.sqrt(selection.alpha.max()))
    one = f"λ = {low:.4g} (α = λ² = {low**2:.4g})"
    value = one if low == high else f"λ from {low:.4g} to {high:.4g} (one per target)"
    _, least, reason = selection.sentence.partition(" has the least")
    return replace(selection, sentence=f"{value}{least}{reason}")


def _asked(r: Rotated, name: str, asked: Any) -> np.ndarray:
    """(t,) α from what was asked for, one number or one per column of b."""
    value = per_target(asked, r.targets, name)
    if not np.all(value >= 0):
        raise InputError(f"{name} must be a number >= 0; got {asked}")
    if name == "radius":
        return alpha_for_radius(r, value)
    if name == "residual":
        return alpha_for_residual(r, value)
    return value**2 if name == "lam" else value


def _answer(
    p: Prepared, r: Rotated, selection: Selection, solution: Solution, grid: tuple[int, ...] | None
) -> Reconstruction:
    def one(values: np.ndarray) -> Any:
        return float(values[0]) if p.vector else values

    findings = doubts(p, r, selection, solution)
    for finding in findings:
        if finding.severity == "warning":
            warnings.warn(f"{finding.sentence} {finding.remedy}", ChoiceWarning, stacklevel=3)
    sigma = np.full(r.targets, p.noise) if p.noise is not None else noise_estimate(r, selection, solution)
    origin = r.spectrum.origin
    return Reconstruction(
        coef=solution.coef[:, 0] if p.vector else solution.coef,
        alpha=one(solution.alpha),
        lam=one(np.sqrt(solution.alpha)),
        strength=Strength(float(solution.alpha[0]), "total", n=float(p.A.shape[0])),
        df=one(solution.df),
        noise=one(sigma),
        residual_norm=one(np.sqrt(solution.rss)),
        solution_norm=one(solution.norm),
        method=origin.method,
        reason=origin.reason,
        findings=findings,
        selection=selection,
        solution=solution,
        rotated=r,
        problem=p,
        image_shape=tuple(grid or p.original.image_shape or ()) or None,
    )


def noise_estimate(r: Rotated, selection: Selection, solution: Solution) -> np.ndarray:
    """(t,) √(rss/(n − df)) at GCV's λ where it agrees with the choice within a factor of 5, else at the choice.

    Robust GCV smooths a little too much, which inflates the residual; GCV does not, when it works.
    Wahba, JRSS B 45 (1983) 133.
    """
    sigma2 = solution.sigma2
    gcv = selection.choices.get("gcv")
    if gcv is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.abs(np.log(gcv / solution.alpha)) < 2 * np.log(5.0)
        if np.array_equal(gcv, solution.alpha):
            return np.sqrt(sigma2)
        if near.any():
            sigma2 = np.where(near, shrink_variance(r, np.where(near, gcv, solution.alpha)), sigma2)
    return np.sqrt(sigma2)


def shrink_variance(r: Rotated, alpha: np.ndarray) -> np.ndarray:
    """(t,) residual variance at λ without making coefficients."""
    from elltwo.shrinking.path import df_of, residual_variance, residuals

    rss = np.array([residuals(r, alpha[j : j + 1])[0, j] for j in range(alpha.size)])
    return residual_variance(rss, df_of(r, alpha), r.spectrum.shape[0])
