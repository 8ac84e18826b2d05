"""The sentence: what a person who reads nothing else should know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding
from elltwo.reporting.words import num, percent, shown


def sentence(view: View, error: dict[str, Any], table: dict[str, Any], findings: Sequence[Finding]) -> str:
    """How well it predicts, what regularization changed, what matters most, what to beware of."""
    return " ".join(
        filter(
            None, (_predicts(view, error), _changed(error), _matters(view, error, table), _beware(findings))
        )
    )


def _predicts(view: View, error: dict[str, Any]) -> str:
    honest, classes = error["honest"], error["classes"]
    if classes:
        right, none, commonest = (percent(classes[k]) for k in ("right", "right_none", "right_commonest"))
        return (
            f"On new rows, {right} are given the right class; without regularization {none}, "
            f"always saying the commonest class {commonest}."
        )
    rmse, r2 = (honest["rmse"], honest["r2"]) if honest else (error["chosen"], error["r2"])
    if view.alpha == np.inf or not r2 > 0:
        return (
            f"These columns do not predict {view.target} on new rows better than its mean does "
            f"(typical error {shown(num(rmse))})."
        )
    return (
        f"On new rows, {view.target} is predicted with a typical error of ±{shown(num(rmse))}, "
        f"{percent(float(r2))} of its variance explained."
    )


def _changed(error: dict[str, Any]) -> str:
    """What regularization changed, both errors measured on the same held-out rows."""
    if error["classes"]:
        return ""
    honest = error["honest"]
    chosen, none = (honest["rmse"], honest["none"]) if honest else (error["chosen"], error["none"])
    chosen, none = num(chosen), num(none)
    if not np.isfinite(none) or not chosen > 0:
        return "Without regularization there is no usable prediction."
    ratio = none / chosen
    if ratio > 10:
        return f"Without regularization the error would be {shown(ratio, 2)} times as large."
    if ratio > 1.005:
        return f"Without regularization it would be {percent(ratio - 1)} larger."
    if ratio < 0.995:
        inside = honest and none > chosen - num(honest["se"])
        said = ", a difference smaller than the uncertainty of either" if inside else ""
        return f"Without regularization it would be {percent(1 - ratio)} smaller{said}."
    return "Regularization changes the error by less than half a percent."


def _matters(view: View, error: dict[str, Any], table: dict[str, Any]) -> str:
    """The columns with the largest effects among those whose interval leaves out 0, if there are intervals."""
    if view.alpha == np.inf:
        return ""
    rows = [r for r in table["rows"] if r["effect"] != 0]
    if table["why_no_intervals"] is None:
        rows = [r for r in rows if r["low"] * r["high"] > 0]
        if not rows:
            return "No single column stands out: it is their combination that predicts."
    names = [r["name"] for r in rows[:3]]
    if not names:
        return ""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    several = error["classes"] and len(error["classes"]["names"]) > 2
    whose = f" for {error['classes']['positive']}" if several else ""
    return f"{listed} {'matters' if len(names) == 1 else 'matter'} most{whose}."


def _beware(findings: Sequence[Finding]) -> str:
    """The most serious finding, up to where its sentence goes into detail."""
    serious = [f.sentence for f in findings if f.severity in ("error", "warning")]
    if not serious:
        return ""
    said = re.split(r"[:;] |\.$", serious[0])[0]
    return f"Beware: {said[:1].lower()}{said[1:]}."
