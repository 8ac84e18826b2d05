"""Checks of the choice of λ: where it sits, how sure it is, whether the rules agree."""

from __future__ import annotations

import numpy as np

from elltwo.diagnosing.check import Check, found, number
from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding
from elltwo.facts.selection import Curve

RATIO = 100.0  # λ of two rules further apart than this
DF_SHARE = 0.25  # and degrees of freedom further apart than this share of all directions
FLAT = 1e4  # λ may move by this factor at a cost below one standard error


def edge(view: View) -> list[Finding]:
    """The least score of a given grid at one of its ends."""
    if view.selection is None or view.selection.edge not in ("low", "high"):
        return []
    low = view.selection.edge == "low"
    return found(
        "edge-of-grid", "warning", view.alpha, None,
        f"The chosen λ = {number(view.alpha)} is the {'smallest' if low else 'largest'} strength that was looked at,"
        f" so a {'smaller' if low else 'larger'} one may predict better.",
        "Leave the grid to the program (alphas='auto'), or extend it beyond this value.",
    )  # fmt: skip


def no_signal(view: View) -> list[Finding]:
    """λ = ∞: the mean of the target predicts at least as well as any use of the columns."""
    if not np.isinf(view.alpha):
        return []
    return found(
        "no-signal", "warning", float("inf"), None,
        f"The best λ is infinite: the columns do not help to predict {view.target}, and its mean does as well.",
        "Look for other columns, more rows, or errors in joining the table; do not read the coefficients.",
    )  # fmt: skip


def no_penalty(view: View) -> list[Finding]:
    """λ = 0 chosen."""
    if view.alpha != 0 or view.selection is None:
        return []
    return found(
        "no-penalty", "info", 0.0, None,
        "The best λ is 0: shrinking the coefficients does not improve the prediction of new rows.",
        "Nothing to do; ordinary least squares is as good here.",
    )  # fmt: skip


def disagree(view: View) -> list[Finding]:
    """Rules whose λ differ both as numbers and in what they do to the fit."""
    if view.selection is None:
        return []
    own, at = view.alpha, view.choices
    df = {rule: view.df(a) for rule, a in at.items()}
    limit = max(1.0, DF_SHARE * view.rotated.spectrum.directions)
    far = {r: abs(df[r] - view.df(own)) for r in at if r != view.selection.rule and _apart(at[r], own)}
    far = {r: d for r, d in far.items() if d > limit}
    if not far:
        return []
    others = ", ".join(f"{r} λ = {number(at[r])} ({number(df[r])} df)" for r in far)
    return found(
        "rules-disagree", "warning", max(far.values()), limit,
        f"The rules disagree: {view.selection.rule} chose λ = {number(own)} ({number(view.df(own))} degrees of "
        f"freedom), but {others}.",
        "Prefer cross-validation whose folds match how the model will be used (groups, time); evidence and AICc "
        "trust the model's assumptions, and leave-one-out trusts that rows are independent.",
    )  # fmt: skip


def _apart(a: float, b: float) -> bool:
    low, high = sorted((a, b))
    return low != high and (low == 0 or np.isinf(high) or high / low > RATIO)


def flat(view: View) -> list[Finding]:
    """The score stays within one standard error of its least over many decades of λ."""
    if view.selection is None or not np.isfinite(view.alpha) or view.alpha == 0:
        return []
    curve = view.selection.curves.get(view.selection.rule)
    if curve is None or curve.error is None:
        return []
    low, high = _within(curve, min(view.which, curve.score.shape[1] - 1))
    if not (low > 0 and high / low > FLAT):
        return []
    return found(
        "flat-choice", "info", float(np.log10(high / low)), float(np.log10(FLAT)),
        f"The error stays within one standard error of the least for every λ from {number(low)} to {number(high)}:"
        " these data do not say precisely how strong the regularization should be.",
        "Take the largest of them (the one-standard-error rule) for a steadier model, or collect more rows.",
    )  # fmt: skip


def _within(curve: Curve, j: int) -> tuple[float, float]:
    score, error = curve.score[:, j], curve.error[:, j]  # type: ignore[index]  # the caller checked that it is there
    score = np.where(np.isfinite(score), score, np.inf)
    best = int(np.argmin(score))
    near = np.flatnonzero(score <= score[best] + error[best])
    return float(curve.alphas[near[0]]), float(curve.alphas[near[-1]])


CHECKS = (
    Check(
        "edge-of-grid",
        "The chosen λ is the first or last of the strengths given.",
        "the chosen λ",
        "",
        "warning",
        edge,
    ),
    Check(
        "no-signal",
        "λ = ∞ was chosen: the columns do not help to predict.",
        "the chosen λ",
        "",
        "warning",
        no_signal,
    ),
    Check("no-penalty", "λ = 0 was chosen.", "the chosen λ", "", "info", no_penalty),
    Check(
        "rules-disagree",
        "Another rule would choose a λ more than 100 times larger or smaller, which changes the fit.",
        "difference in degrees of freedom",
        "1, or a quarter of the directions if that is more",
        "warning",
        disagree,
    ),
    Check(
        "flat-choice",
        "The error is within one standard error of its least over a wide range of λ.",
        "decades of λ",
        "4",
        "info",
        flat,
    ),
)
