"""What a fit from moments can say of itself: its honest error, findings, and the report."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from elltwo.selecting.nested import Nested

if TYPE_CHECKING:
    from elltwo.scale.fits.momentfit import MomentFit

MOST_NESTED = 600  # columns up to which K² more eigenproblems buy an honest error


@dataclass(frozen=True)
class Honest:
    """The error of the whole procedure on folds that took part in none of it; or why it was not measured."""

    nested: Nested | None
    because: str | None = None


def honest_of(fit: MomentFit) -> Honest:
    """By nested folds, from moments; λ that was chosen by leave-one-out is chosen there by K-fold, if not done yet."""
    p, chosen = len(fit.names), fit.selection
    if fit.honest is not None:
        return Honest(fit.honest)
    if fit.folds is None:
        return Honest(
            None,
            "no error on new rows was measured: one fold leaves none to hold out; make the moments with more",
        )
    if fit.folding is None:
        why = "triangles were streamed, which are not made again without each part"
    elif p > MOST_NESTED and chosen is not None:
        K = len(fit.folds)
        more = f"{K * (K + 1)} more eigenproblems of {p:,} columns"
        why = f"choosing it again without each part takes {more}, which is done up to {MOST_NESTED}"
    else:
        rule = "given" if chosen is None else "kfold" if chosen.rule == "loo" else chosen.rule
        alpha = fit.solution.alpha if chosen is None else None
        return Honest(fit.folding.nested(rule, alpha, one_se=fit.one_se))
    if chosen is None:
        return Honest(None)  # the K-fold error of a strength that was given is honest as it is
    return Honest(
        None,
        f"the error was measured on the parts that also chose the strength, so it looks slightly too good: {why}",
    )


def findings_of(fit: MomentFit, which: int) -> tuple[Any, ...]:
    """What a person should know about target ``which``; diagnosing lies above: its name is looked up when asked."""
    diagnosing, name = import_module("elltwo.diagnosing"), fit.plan.targets[which].name
    found = diagnosing.diagnose(fit.rotated, fit.solution, fit.selection, fit.names, name, which)
    if fit.looked is None:
        return tuple(found)
    return (*found, *diagnosing.seen_rows(fit.looked, float(fit.solution.df[which]), which))


def report_of(fit: MomentFit, which: int, honest: bool) -> dict[str, Any]:
    """The report's facts of target ``which``, by the code that the command line uses."""
    reporting, rows = import_module("elltwo.reporting"), import_module("elltwo.reporting.parts.rows")
    measured = honest_of(fit) if honest else Honest(None)
    targets = [target.name for target in fit.plan.targets]
    report: dict[str, Any] = reporting.collect(
        rotated=fit.rotated, solution=fit.solution, selection=fit.selection, names=fit.names,
        target=targets[which], which=which, targets=targets, folds=fit.folds, nested=measured.nested,
        plan=fit.plan.to_dict(), findings=findings_of(fit, which), standardize=fit.penalty.standardize,
        problem_info={"weights": fit.plan.weights, "folds": fit.rule.sentence},
        notes=(*fit.notes, *filter(None, (measured.because,))),
        rows=None if fit.looked is None else rows.rows_seen(fit.looked, which),
        reproduce=f"fit_moments(source, {targets if len(targets) > 1 else targets[0]!r})",
    )  # fmt: skip
    return report
