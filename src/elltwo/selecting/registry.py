"""Every rule that can choose λ, what it needs, and how it is found by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elltwo.errors import unknown_option
from elltwo.facts.rotated import Fold, Rotated
from elltwo.selecting import criteria, inverse_rules
from elltwo.selecting.kfold import kfold
from elltwo.selecting.loo import loo
from elltwo.shrinking.secular import alpha_for_residual, noise_norm


@dataclass(frozen=True)
class Evidence:
    """What a rule may read: the rotated problem and, for cross-validation, the training folds."""

    rotated: Rotated
    folds: list[Fold] | None = None


@dataclass(frozen=True)
class Scored:
    """Scores (L, t), lower is better, and their standard errors where the rule has them."""

    score: np.ndarray
    error: np.ndarray | None = None


@dataclass(frozen=True)
class Rule:
    """One way to choose λ.

    Attributes
    ----------
    name : short name, as the user types it.
    needs : subset of {"rows", "folds", "noise"}; ``select`` refuses in one sentence where absent.
    score : Evidence, λ (L,) → Scored.
    unit : what the score is, in words.
    cheap : does one more λ cost O(k) rather than a pass over rows?
    squared_error : is the score a mean squared error that may be summed over targets?
    heard : is it evaluated beside another rule unless it is asked for by name?
    exact : Rotated → λ (t,), for rules that solve an equation rather than minimise a score.
    """

    name: str
    needs: frozenset[str]
    score: Callable[[Evidence, np.ndarray], Scored]
    unit: str
    cheap: bool = True
    squared_error: bool = True
    heard: bool = True
    exact: Callable[[Rotated], np.ndarray] | None = None


def _plain(function: Callable[[Rotated, np.ndarray], np.ndarray]) -> Callable[[Evidence, np.ndarray], Scored]:
    return lambda e, alphas: Scored(function(e.rotated, alphas))


def _loo(e: Evidence, alphas: np.ndarray) -> Scored:
    result = loo(e.rotated, alphas)
    return Scored(result.mean, result.error)


def _kfold(e: Evidence, alphas: np.ndarray) -> Scored:
    assert e.folds is not None
    result = kfold(e.folds, alphas)
    return Scored(result.mean, result.error)


def _needs(*names: str) -> frozenset[str]:
    return frozenset(names)


def _quiet(name: str, function: Callable[[Rotated, np.ndarray], np.ndarray], unit: str, *needs: str) -> Rule:
    """A rule that speaks only when it is asked by name."""
    return Rule(
        name, _needs(*needs), _plain(function), unit, cheap=not needs, squared_error=False, heard=False
    )


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("loo", _needs("rows"), _loo, "mean squared leave-one-out error", cheap=False),
        Rule("kfold", _needs("folds"), _kfold, "mean squared held-out error", cheap=False),
        Rule("gcv", _needs(), _plain(criteria.gcv), "generalized cross-validation score"),
        Rule("rgcv", _needs(), _plain(criteria.robust_gcv), "robust generalized cross-validation score"),
        Rule("evidence", _needs(), _plain(criteria.evidence), "-2 log evidence per row", squared_error=False),
        Rule("mallows", _needs("noise"), _plain(criteria.mallows), "estimated prediction error"),
        Rule("aicc", _needs(), _plain(criteria.aicc), "corrected Akaike criterion", squared_error=False),
        Rule(
            "discrepancy",
            _needs("known noise"),
            _plain(criteria.discrepancy),
            "|log residual over noise|",
            squared_error=False,
            exact=lambda r: alpha_for_residual(r, noise_norm(r)),
        ),
        _quiet("srgcv", inverse_rules.strong_robust_gcv, "strong robust generalized cross-validation score"),
        _quiet("wgcv", inverse_rules.weighted_gcv, "weighted generalized cross-validation score"),
        _quiet("lcurve", inverse_rules.l_curve, "minus the curvature of the L-curve"),
        _quiet("quasi", inverse_rules.quasi_optimality, "quasi-optimality, the length of λ dx/dλ"),
        _quiet("ncp", inverse_rules.ncp, "distance of the residual's periodogram from white noise", "rows"),
    )
}

ALIASES = {
    "cp": "mallows",
    "upre": "mallows",
    "sure": "mallows",
    "reml": "evidence",
    "cv": "kfold",
    "robust_gcv": "rgcv",
    "strong_robust_gcv": "srgcv",
    "weighted_gcv": "wgcv",
    "l_curve": "lcurve",
    "quasi_optimality": "quasi",
    "morozov": "discrepancy",
}


def find_rule(name: str | Rule) -> Rule:
    """The rule of that name or alias; a Rule of one's own (a scorer, say) is taken as it is."""
    if isinstance(name, Rule):
        return name
    key = ALIASES.get(str(name).lower().replace("-", "_"), str(name).lower())
    if key not in RULES:
        raise unknown_option("rule", name, RULES)
    return RULES[key]


def absent(rule: Rule, e: Evidence) -> str:
    """What the rule needs and the evidence lacks, in words; '' if nothing."""
    if "rows" in rule.needs and (e.rotated.spectrum.rows is None or e.rotated.b is None):
        return "the rows of the data, and only their moments were kept"
    if "folds" in rule.needs and e.folds is None:
        return "folds: pass cv=5, a splitter, or a fold column"
    if "known noise" in rule.needs and e.rotated.noise is None:
        return "the noise level: pass noise=..."
    if "noise" in rule.needs and e.rotated.noise is None:
        s = e.rotated.spectrum
        if s.shape[0] - s.free.rank - s.directions < 0.5:
            return (
                "the noise level, which cannot be estimated with as many directions as rows: pass noise=..."
            )
    return ""
