"""How well the fit predicts new rows: with λ, without, with no columns at all, and honestly nested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.diagnosing.view import View
from elltwo.facts.rotated import Fold
from elltwo.selecting.nested import Nested
from elltwo.selecting.registry import RULES, Evidence, absent

MOST_ROW_WORK = 5e8  # n·k up to which leave-one-out is evaluated for the report

WORDS = {
    "loo": "each row predicted by a fit to all others (exact leave-one-out)",
    "kfold": "each fold predicted by a fit to the others (exact K-fold cross-validation)",
    "gcv": "generalized cross-validation, an approximation to leaving rows out",
}


@dataclass(frozen=True)
class Classes:
    """What a report of a classifier adds: shares of held-out rows whose class was predicted right.

    Attributes
    ----------
    names : all classes.
    positive : the class that a positive score speaks for.
    right, right_none, right_commonest : with regularization, without, and always saying the commonest class.
    """

    names: tuple[str, ...]
    positive: str
    right: float
    right_none: float
    right_commonest: float


@dataclass(frozen=True)
class ErrorRule:
    """The rule that measures prediction error in this report, bound to its evidence and target."""

    name: str
    view: View
    evidence: Evidence

    def __call__(self, alphas: np.ndarray) -> np.ndarray:
        """(L,) mean squared error of predicting rows that were left out."""
        with np.errstate(all="ignore"):
            return (
                RULES[self.name]
                .score(self.evidence, np.asarray(alphas, dtype=float))
                .score[:, self.view.which]
            )


def error_rule(view: View, folds: list[Fold] | None) -> ErrorRule:
    """K-fold where there are folds, else leave-one-out where there are rows, else GCV; the selecting rule first."""
    e = Evidence(view.rotated, folds)
    chosen = view.selection.rule if view.selection is not None else ""
    affordable = view.rows * max(view.s.size, 1) <= MOST_ROW_WORK
    for name in (chosen, "kfold", "loo"):
        if name in ("kfold", "loo") and not absent(RULES[name], e) and (name == "kfold" or affordable):
            return ErrorRule(name, view, e)
    return ErrorRule("gcv", view, e)


def prediction_error(view: View, rule: ErrorRule, nested: Nested | None) -> dict[str, Any]:
    """Root mean squared errors and shares of variance, in units of the target."""
    mse = rule(np.array([view.alpha, 0.0, np.inf]))
    rmse = np.sqrt(np.maximum(mse, 0.0))
    out: dict[str, Any] = {
        "rule": rule.name,
        "words": WORDS[rule.name],
        "chosen": rmse[0],
        "none": rmse[1],
        "mean_only": rmse[2],
        "r2": 1 - mse[0] / mse[2] if mse[2] > 0 else np.nan,
        "r2_none": 1 - mse[1] / mse[2] if mse[2] > 0 else np.nan,
        "honest": None,
    }
    if nested is not None:
        out["honest"] = honest_error(nested, view.which)
    return out


def honest_error(nested: Nested, j: int) -> dict[str, Any]:
    """Nested error as a root mean square; its standard error by the delta method."""
    mse, base, se = float(nested.error[j]), float(nested.baseline[j]), float(nested.standard_error[j])
    plain, root = float(nested.plain[j]), np.sqrt(mse)
    return {
        "rmse": root,
        "se": se / (2 * root) if root > 0 else np.nan,
        "none": np.sqrt(plain),
        "mean_only": np.sqrt(base),
        "r2": 1 - mse / base if base > 0 else np.nan,
        "r2_none": 1 - plain / base if base > 0 else np.nan,
        "folds": int(nested.alphas.shape[0]),
        "alphas": nested.alphas[:, j],
    }
