"""A fitted model as plain data: everything a file must hold to predict, to be read and to be trusted.

No algorithm and no array lives here; every number is a Python float, so that JSON restores it exactly
(`elltwo.facts.model_json`). The parts of a model must agree with each other, or it cannot be made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from elltwo.errors import DataError
from elltwo.facts.finding import Finding
from elltwo.facts.plan import TablePlan
from elltwo.facts.strength import Strength


def refuse(what: str) -> DataError:
    """The sentence for a model file that does not hold what it should."""
    return DataError(f"this model file cannot be used: {what}; make it again with elltwo fit")


@dataclass(frozen=True)
class FittedOutput:
    """One fitted target, or one class of a classifier against the rest.

    Parameters
    ----------
    name : str
        The target column, or the class.
    intercept : float
        In units of y.
    coef : tuple of float
        Per feature, units of y per unit of the feature.
    standardized : tuple of float
        ``coef`` times the feature's standard deviation: units of y, comparable between features.
    unregularized : tuple of float
        ``coef`` at lambda = 0 (the shortest solution where there are many); empty when not computed.
    lower, upper : tuple of float
        Ends of the 95 % intervals of ``coef``; empty when not computed.
    alpha : float
        The total lambda used.
    df : float
        Effective degrees of freedom, the intercept included.
    noise_variance : float
        Residual variance RSS/(n - df).
    """

    name: str
    intercept: float
    coef: tuple[float, ...]
    standardized: tuple[float, ...]
    unregularized: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    alpha: float
    df: float
    noise_variance: float


@dataclass(frozen=True)
class FittedModel:
    """What ``elltwo fit`` leaves behind.

    Parameters
    ----------
    plan : TablePlan
        How a table becomes features, fixed at training.
    outputs : tuple of FittedOutput
        One per target; for classification one for two classes (positive means the second), else one
        per class.
    means, scales : tuple of float
        Of the features at training; ``scales`` are population standard deviations.
    standardize : bool
        Whether the penalty applied to standardized features.
    strength : Strength
        The lambda of the first output with its convention.
    rule : str
        Which rule chose it, "given" when the user did.
    scores : dict of str to float
        How well it predicts, by name (rmse, r2, baseline ...).
    choices : dict of str to float
        What every rule would have chosen for the first output.
    findings : tuple of Finding
        What to beware of.
    how : dict of str to str
        How it was fitted: factorization, reason, options, source files, version.
    rows : int
        Training rows.
    version : str
        The elltwo that wrote it.
    report : dict
        The report's facts, JSON data as `elltwo.reporting` collected them; empty when none were kept.
    """

    plan: TablePlan
    outputs: tuple[FittedOutput, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    standardize: bool
    strength: Strength
    rule: str
    scores: dict[str, float]
    choices: dict[str, float]
    findings: tuple[Finding, ...]
    how: dict[str, str]
    rows: int
    version: str
    report: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        p = len(self.plan.feature_names)
        if not self.outputs:
            raise refuse("it has no outputs")
        for name, values in (("means", self.means), ("scales", self.scales)):
            _length(values, p, name)
        for out in self.outputs:
            for name in ("coef", "standardized", "unregularized", "lower", "upper"):
                values = getattr(out, name)
                if values or name in ("coef", "standardized"):
                    _length(values, p, f"{name} of {out.name!r}")
            if not all(map(math.isfinite, (*out.coef, out.intercept))):
                raise refuse(f"a coefficient of {out.name!r} is not finite")
        if self.plan.task == "classify":
            classes = len(self.classes)
            if classes < 2 or len(self.outputs) != (1 if classes == 2 else classes):
                raise refuse(f"it has {len(self.outputs)} outputs for {classes} classes")

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in the order of the coefficients."""
        return self.plan.feature_names

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels of a classifier, else empty."""
        target = self.plan.target
        return target.levels if self.plan.task == "classify" and target is not None else ()


def _length(values: tuple[float, ...], p: int, name: str) -> None:
    if len(values) != p:
        raise refuse(f"it has {len(values)} {name} for {p} features")
