"""Which rule decides in an inverse problem, and which others are asked."""

from __future__ import annotations

from elltwo.facts.rotated import Rotated
from elltwo.selecting.criteria import robust_gcv
from elltwo.selecting.registry import Evidence, Rule, Scored, find_rule

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
        return rule
    gamma = gamma_for(r)

    def score(e: Evidence, alphas):  # type: ignore[no-untyped-def]
        return Scored(robust_gcv(e.rotated, alphas, gamma))

    return Rule("rgcv", rule.needs, score, f"robust generalized cross-validation score (γ = {gamma:g})")


def other_rules(asked: bool | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the rules that are evaluated beside the one that decides."""
    if asked is True:
        return ASKED
    return () if asked is False else tuple("discrepancy" if name == "morozov" else name for name in asked)
