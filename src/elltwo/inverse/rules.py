"""Which rule decides in an inverse problem, and which others are asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from elltwo.facts.rotated import Rotated
from elltwo.selecting.criteria import robust_gcv
from elltwo.selecting.inverse_rules import residual_sample
from elltwo.selecting.registry import Evidence, Rule, Scored, find_rule

SPREAD, CHANCE = 3, 1e-3  # directions that a residual should be spread over; the chance that one misleads
DECOMPOSED, SAMPLED = 0.1, 0.2  # γ of robust GCV where traces are exact, and where a probe estimates them
ASKED = ("gcv", "evidence", "discrepancy", "lcurve")
FAMILY = ("gcv", "rgcv", "srgcv", "wgcv", "evidence", "discrepancy", "mallows", "lcurve", "quasi")


def gamma_for(r: Rotated) -> float:
    """γ of robust GCV: smaller is closer to plain GCV. Both values are measured in benchmarks/inverse.py."""
    return SAMPLED if r.spectrum.trace is not None and r.spectrum.trace.sampled else DECOMPOSED


def chosen_rule(name: str, r: Rotated) -> Rule:
    """Return the rule of that name; ``"auto"`` is discrepancy where the noise is known, else robust GCV."""
    if name == "auto":
        name = "rgcv" if r.noise is None else "discrepancy"
    rule = find_rule(name)
    if rule.name != "rgcv":
        return rule if rule.exact is not None else _above_floor(rule)
    gamma = gamma_for(r)

    def score(e: Evidence, alphas: np.ndarray) -> Scored:
        values = robust_gcv(e.rotated, alphas, gamma)
        return Scored(doubt(e.rotated, alphas)[:, None] * values)

    return _above_floor(
        Rule("rgcv", rule.needs, score, f"robust generalized cross-validation score (γ = {gamma:g})")
    )


def _above_floor(rule: Rule) -> Rule:
    """The rule without a score at strengths that Golub-Kahan steps have not resolved."""

    def score(e: Evidence, alphas: np.ndarray) -> Scored:
        scored, trace = rule.score(e, alphas), e.rotated.spectrum.trace
        if trace is None or trace.floor == 0:
            return scored
        return Scored(np.where((alphas >= trace.floor)[:, None], scored.score, np.inf), scored.error)

    return replace(rule, score=score)


def doubt(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """(L,) ≥ 1, how much a GCV score must be raised where the residual lies in too few directions.

    All that GCV knows of the noise is the residual. Spread over ν directions it is a χ²_ν variable, which chance
    makes ν/χ²_ν(CHANCE) times too small once in 1/CHANCE draws: 120 times for ν = 3, but 6e5 times where a nearly
    singular square A and a tiny λ leave one direction, and that λ would win. Below SPREAD directions (half of
    them, of fewer than 2·SPREAD data) the score pays the difference; exact data can.
    """
    rows = r.spectrum.shape[0] - r.spectrum.free.rank
    enough = max(min(SPREAD, rows / 2), 0.5)
    half = np.append(np.clip(residual_sample(r, alphas), min(1.0, enough), enough), enough) / 2
    bound = half / special.gammaincinv(half, CHANCE)
    return np.asarray(bound[:-1] / bound[-1])


def other_rules(asked: bool | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the rules that are evaluated beside the one that decides."""
    if asked is True:
        return ASKED
    return () if asked is False else tuple("discrepancy" if name == "morozov" else name for name in asked)
