"""Faces met by a table whose rows are elsewhere (Dask, DuckDB): it is reduced to moments, and those are fitted here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.errors import AccuracyWarning, UsageError
from elltwo.estimators.fitting import Fit
from elltwo.estimators.penalising import build_penalty
from elltwo.estimators.validating import Data
from elltwo.factoring.folds import folds_from_moments
from elltwo.factoring.gram import factor_moments
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.spectrum import Origin
from elltwo.selecting.select import select
from elltwo.shrinking import shrink
from elltwo.tables.moments.dense import add_designs
from elltwo.tables.moments.offers import DesignFolds, Offer
from elltwo.tables.reading.arrow import frame_table, numbers_in

if TYPE_CHECKING:
    from elltwo.estimators.face import Face

FOLDS = 5
FEW_DIGITS = 4  # correct digits of the coefficients below which a warning is due


@dataclass(frozen=True)
class Reduced:
    """A table elsewhere as what a fit needs of it: fold moments, their sum, the penalty, the spectrum."""

    offered: DesignFolds
    whole: DesignMoments
    penalty: Penalty
    rotated: Rotated


def search_elsewhere(face: Any, offer: Offer, X: Any, y: Any, sample_weight: Any) -> Any:
    """Choose λ by K-fold (or a rule that reads the spectrum) and fit: ``RidgeCV.fit`` without the rows.

    Raises
    ------
    UsageError
        An option that needs the rows.
    """
    _refuse(face, {"scoring": None, "store_cv_results": False, "target_df": None, "radius": None,
                   "length_fraction": None})  # fmt: skip
    if face.cv is not None and not isinstance(face.cv, (int, np.integer)):
        raise UsageError("rows that are elsewhere are split by their number: give cv as a number of folds")
    found = _reduce(face, offer(X, y, int(face.cv or FOLDS), sample_weight=sample_weight))
    rotated = replace(found.rotated, noise=face.noise)
    given = None if face._automatic() else face._checked()
    selection = select(
        rotated,
        face.rule or "kfold",
        folds=folds_from_moments(found.offered.folds, found.penalty, bool(face.fit_intercept), found.whole),
        alphas=given,
        one_se=face.one_se,
        per_target=face.alpha_per_target,
    )
    _keep(face, replace(found, rotated=rotated), selection.alpha, selection, given)
    several = face.alpha_per_target and selection.alpha.size > 1
    face.alpha_ = selection.alpha.copy() if several else float(selection.alpha[0])
    face.best_score_ = -selection.score if several else -float(np.ravel(selection.score)[0])
    return face


def solve_elsewhere(face: Any, offer: Offer, X: Any, y: Any, sample_weight: Any) -> Any:
    """Fit at ``alpha``: ``Ridge.fit`` without the rows."""
    from elltwo.estimators.face import strengths_per_target

    _refuse(face, {"positive": False, "solver": "auto"})
    found = _reduce(face, offer(X, y, 1, sample_weight=sample_weight))
    _keep(face, found, strengths_per_target(face.alpha, found.offered.targets), None, None)
    return face


def predict_elsewhere(face: Face, X: Any) -> Any:
    """X @ coef + intercept, lazy where X is; columns of a frame by their names."""
    names: Sequence[str] | None = getattr(face, "feature_names_in_", None)
    if hasattr(X, "__arrow_c_stream__"):
        table = frame_table(X)
        X = numbers_in(table, table.column_names if names is None else list(names))
    elif hasattr(X, "columns"):
        X = (X if names is None else X[list(names)]).values
    return X @ face.coef_.T + face.intercept_


def _refuse(face: Any, defaults: dict[str, Any]) -> None:
    for name, default in defaults.items():
        if not np.array_equal(getattr(face, name), default):
            raise UsageError(
                f"{name}={getattr(face, name)!r} is not offered where the rows are elsewhere: leave it out, or "
                f"bring the rows here first (X.compute(), relation.df())"
            )


def _reduce(face: Any, offered: DesignFolds) -> Reduced:
    whole = add_designs(offered.folds)
    names = None if offered.names is None else np.asarray(offered.names, dtype=object)
    face.n_features_in_ = whole.xx.shape[0]
    if names is not None:
        face.feature_names_in_ = names
    penalty = build_penalty(
        whole.xx.shape[0],
        offered.targets,
        names=names,
        standardize=face.standardize,
        free=face.free,
        strengths=face.strengths,
        prior_mean=face.prior_mean,
        penalty=face.penalty,
    )
    origin = Origin("moments", f"{whole.count:,} rows elsewhere were reduced to moments", squared=True)
    return Reduced(offered, whole, penalty, factor_moments(whole, penalty, bool(face.fit_intercept), origin))


def _keep(
    face: Any, found: Reduced, alpha: np.ndarray, selection: Selection | None, given: np.ndarray | None
) -> None:
    """What every face keeps; the shape of X and y stands for the rows."""
    solution = shrink(found.rotated, alpha)
    if solution.digits < FEW_DIGITS:
        warnings.warn(
            f"about {solution.digits:.0f} digits of the coefficients are correct at this strength, as moments "
            "square the condition number: raise alpha, or fit rows in memory",
            AccuracyWarning,
            stacklevel=4,
        )
    m = found.whole
    spread = np.sqrt(np.maximum(np.diagonal(m.xx) / m.weight - (m.first_x / m.weight) ** 2, 0.0))
    fit = Fit(solution, "moments", None, found.rotated, selection, given=given, spread=spread)
    t, names = found.offered.targets, getattr(face, "feature_names_in_", None)
    shape = np.broadcast_to(0.0, (0, t))
    face._keep(fit, Data(None, shape, None, found.offered.single, np.dtype(float), names))
