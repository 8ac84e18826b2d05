"""Findings of fits without a spectrum of their own: strengths per group, and designs too large to factor."""

from __future__ import annotations

import numpy as np

from elltwo.diagnosing.check import number
from elltwo.facts.finding import Finding
from elltwo.facts.groupfit import GroupFit, LargeFit

UNUSED = 0.01  # of a group's columns, in degrees of freedom
LOST = 0.1  # R² by which a group's share may fall on rows held out
NOISY = 0.05  # relative standard error of the degrees of freedom left


def look_at_groups(fit: GroupFit) -> tuple[Finding, ...]:
    """What deserves a look after a banded fit."""
    found = [_unfinished(fit), _ends(fit), _unused(fit), _saturated(fit), _lost(fit)]
    return tuple(f for f in found if f is not None)


def look_at_large(fit: LargeFit) -> tuple[Finding, ...]:
    """What deserves a look after conjugate gradients over a grid of strengths."""
    found = [_edge(fit), _residual(fit), _probes(fit), _choices(fit)]
    return tuple(f for f in found if f is not None)


def _named(fit: GroupFit, which: np.ndarray) -> str:
    names = [fit.names[i] for i in np.flatnonzero(which)]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"group{'s' * (len(names) > 1)} {', '.join(names[:5])}{more}"


def _unfinished(fit: GroupFit) -> Finding | None:
    if fit.converged:
        return None
    sentence = (
        f"The search for the strengths stopped after {fit.evaluations} evaluations before it had converged."
    )
    remedy = "Standardize the groups to similar size, or join groups that cannot be told apart."
    return Finding("search-unfinished", "warning", float(fit.evaluations), None, sentence, remedy)


def _ends(fit: GroupFit) -> Finding | None:
    if not fit.at_end.any():
        return None
    sentence = f"The strength of {_named(fit, fit.at_end)} stopped at the end of the range that is searched."
    remedy = "A group at its strong end can be left out; one at its weak end is hardly shrunk at all."
    return Finding("strength-at-end", "info", float(fit.at_end.sum()), None, sentence, remedy)


def _unused(fit: GroupFit) -> Finding | None:
    share = fit.df.max(axis=1) / np.maximum(fit.sizes, 1)
    idle = share < UNUSED
    if not idle.any():
        return None
    sentence = f"Less than {100 * UNUSED:.0f} % of the columns is used in {_named(fit, idle)}."
    remedy = "Leave out what is dear to measure there; the prediction will hardly change."
    return Finding("group-unused", "info", float(share.min()), UNUSED, sentence, remedy)


def _saturated(fit: GroupFit) -> Finding | None:
    used = float(fit.df.sum(axis=0).max()) / fit.rows
    if used < 0.9:
        return None
    sentence = (
        f"The fit uses {100 * used:.0f} % of the rows as degrees of freedom, so it nearly interpolates."
    )
    other = "evidence" if fit.rule == "loo" else "loo"
    remedy = f"Look at rows held out: pass them to write_report, or try rule={other!r} or fewer groups."
    return Finding("nearly-interpolates", "warning", used, 0.9, sentence, remedy)


def _lost(fit: GroupFit) -> Finding | None:
    if fit.held is None:
        return None
    fall = np.nanmean(fit.split - fit.held, axis=1)
    if not np.any(fall > LOST):
        return None
    worst = int(np.nanargmax(fall))
    gives = f"{number(float(fall[worst]))} less of R² on the rows held out than on those fitted"
    sentence = f"The group {fit.names[worst]} gives {gives}."
    remedy = "Trust the rows held out; try rule='loo', which judges by prediction."
    return Finding("share-lost", "warning", float(fall[worst]), LOST, sentence, remedy)


def _edge(fit: LargeFit) -> Finding | None:
    edge = fit.selection.edge
    if edge not in ("low", "high"):
        return None
    alpha = float(fit.selection.alpha[0])
    kind, other = ("smallest", "smaller") if edge == "low" else ("largest", "larger")
    sentence = f"The chosen λ = {number(alpha)} is the {kind} strength looked at, so a {other} one may predict better."
    return Finding(
        "edge-of-grid", "warning", alpha, None, sentence, "Pass alphas that reach beyond this value."
    )


def _residual(fit: LargeFit) -> Finding | None:
    worst = float(fit.residual.max(initial=0.0))
    if worst <= fit.tol:
        return None
    sentence = (
        f"Conjugate gradients stopped at a relative residual of {number(worst)}, not {number(fit.tol)}."
    )
    remedy = "Scale the columns, or ask for larger strengths."
    return Finding("residual-not-reached", "warning", worst, fit.tol, sentence, remedy)


def _probes(fit: LargeFit) -> Finding | None:
    if fit.df is None or fit.df_error is None:
        return None
    at = int(np.argmin(np.abs(np.log(fit.selection.curves["gcv"].alphas / fit.selection.alpha[0]))))
    left = fit.shape[0] - float(fit.df[at])
    spread = float(fit.df_error[at]) / max(left, 1e-300)
    if not spread > NOISY:
        return None
    sentence = (
        f"The probes leave the score unsure: the rows left over are known to {100 * spread:.0f} % only."
    )
    return Finding("probes-too-few", "warning", spread, NOISY, sentence, "Use more probes, or rule='kfold'.")


def _choices(fit: LargeFit) -> Finding | None:
    curve = fit.selection.curves[fit.selection.rule]
    if curve.error is None or not np.isfinite(curve.error).all():
        return None
    score, error = curve.score.mean(axis=1), np.sqrt((curve.error**2).mean(axis=1))
    best = int(np.argmin(score))
    close = curve.alphas[score <= score[best] + error[best]]
    width = float(close.max() / close.min())
    if width < 100:
        return None
    sentence = (
        f"Strengths from {number(float(close.min()))} to {number(float(close.max()))} score within one standard error "
        "of the best, so λ is not sharply determined."
    )
    return Finding("flat-choice", "info", width, 100.0, sentence, "Any of them predicts about as well.")
