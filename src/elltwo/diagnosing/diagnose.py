"""Look at the facts of a fit and say what a person should know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elltwo.diagnosing.catalogue import CHECKS
from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution

MOST_TARGETS = 20  # of several targets, those that are looked at one by one
ORDER = {"error": 0, "warning": 1, "info": 2}


def diagnose(
    rotated: Rotated,
    solution: Solution,
    selection: Selection | None = None,
    names: Sequence[str] | None = None,
    target: str = "the target",
    which: int = 0,
    numbers: np.ndarray | None = None,
) -> tuple[Finding, ...]:
    """Findings about min Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖L(x − x0)‖² at the chosen λ, most severe first.

    Parameters
    ----------
    rotated, solution : the facts of the fit.
    selection : how λ was chosen; None when it was given.
    names : p column names; made up where absent.
    target : name of the target, for the sentences.
    which : which target, where there are several.
    numbers : (n,) number of each row in the table it came from, from 1.

    Returns
    -------
    tuple of Finding
        Codes, thresholds and their sources are listed in docs/reference/findings.md.
    """
    return look(View.of(rotated, solution, selection, names, target, which, numbers))


def diagnose_targets(
    rotated: Rotated,
    solution: Solution,
    selection: Selection | None,
    names: Sequence[str] | None,
    targets: Sequence[str],
    numbers: np.ndarray | None = None,
) -> tuple[Finding, ...]:
    """Findings of every target: said once where they hold for all of them, else with the target's name before."""
    each = [
        diagnose(rotated, solution, selection, names, target, which, numbers)
        for which, target in enumerate(targets[:MOST_TARGETS])
    ]
    shared = [f for f in each[0] if all(f in findings for findings in each)]
    own = [
        replace(f, sentence=f"{target}: {f.sentence}")
        for target, findings in zip(targets, each, strict=False)
        for f in findings
        if f not in shared
    ]
    return tuple(sorted([*shared, *own], key=lambda f: ORDER[f.severity]))


def look(view: View) -> tuple[Finding, ...]:
    """The same, for a View that is already there."""
    findings = [finding for check in CHECKS.values() for finding in check.look(view)]
    return tuple(sorted(findings, key=lambda f: ORDER[f.severity]))
