"""A solution with a guard on its digits: the one way in which a fit ends."""

from __future__ import annotations

import numpy as np

from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.solution import Solution
from elltwo.shrinking.path import shrink
from elltwo.shrinking.polish import polish
from elltwo.shrinking.refine import ENOUGH, refine


def certify(problem: Problem, r: Rotated, alpha: float | np.ndarray) -> Solution | None:
    """Shrink; then refine a Gram route that lost digits, or polish an SVD that did.

    Returns None where a squared route lost digits and refinement does not contract: the cue to
    factor again with an SVD.
    """
    solution = shrink(r, alpha)
    if not r.spectrum.origin.squared:
        return polish(problem, r, solution)
    if solution.digits >= ENOUGH:
        return solution
    return refine(problem, r, solution) if problem.penalty.operator is None else None
