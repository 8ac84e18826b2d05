"""The choice of λ: every rule's curve, what each would choose, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """One rule's score over λ, lower is better.

    Attributes
    ----------
    rule : name in the registry.
    alphas : (L,) ascending, total λ (multiplies ‖Lx‖² beside an unnormalised sum of squares).
    score : (L, t), or (L, 1) where targets share one λ.
    error : (L, t) or None: standard error of the score, for rules that have one.
    unit : what the score is, in words.
    """

    rule: str
    alphas: np.ndarray
    score: np.ndarray
    error: np.ndarray | None = None
    unit: str = ""


@dataclass(frozen=True)
class Selection:
    """Which λ, by which rule, and how sure.

    Attributes
    ----------
    rule : the rule that chose.
    alpha : (t,) chosen λ per target; 0 and inf are possible and said.
    score : (t,) the rule's score there.
    curves : rule -> Curve, for every rule that could be evaluated.
    choices : rule -> (t,) λ that each rule would have chosen.
    edge : ``""``, ``"low"``, ``"high"``, ``"zero"`` or ``"infinity"``.
    sentence : the choice in one sentence.
    folds : (n,) fold number per row, if the rule has folds.
    """

    rule: str
    alpha: np.ndarray
    score: np.ndarray
    curves: dict[str, Curve]
    choices: dict[str, np.ndarray]
    edge: str
    sentence: str
    folds: np.ndarray | None = None
