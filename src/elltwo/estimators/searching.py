"""What the two cross-validating faces share: parameters, metadata routing, and the search itself."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import check_scalar
from sklearn.utils._param_validation import Interval, StrOptions  # the checks that check_estimator reads
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metadata_routing import _raise_for_params as refuse_params  # the wording users know

from elltwo.errors import InputError, UsageError
from elltwo.estimators.choosing import Wish, best_score, fit_wish, row_results
from elltwo.estimators.face import PENALTY_OPTIONS, Face
from elltwo.estimators.fitting import goes_by_moments
from elltwo.estimators.scoring import Scoring
from elltwo.estimators.splitting import splits_of
from elltwo.estimators.validating import Data, refuse_late
from elltwo.selecting.registry import ALIASES, RULES

SEARCH_OPTIONS: dict[str, list[Any]] = {
    "alphas": ["array-like", Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "fit_intercept": ["boolean"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "cv": ["cv_object", "array-like"],
    "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
    "store_cv_results": ["boolean"],
    "alpha_per_target": ["boolean"],
    "rule": [StrOptions({*RULES, *ALIASES}), None],
    "one_se": ["boolean"],
    "target_df": ["array-like", Interval(Real, 0, None, closed="left"), None],
    "radius": ["array-like", Interval(Real, 0, None, closed="left"), None],
    "length_fraction": ["array-like", Interval(Real, 0, 1, closed="both"), None],
    "noise": [Interval(Real, 0, None, closed="neither"), None],
}


@dataclass(frozen=True)
class Routed:
    """Metadata for the scorer and for the splitter."""

    score: dict[str, Any]
    split: dict[str, Any]


class SearchFace(Face):
    """Shared by RidgeCV and RidgeClassifierCV."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**SEARCH_OPTIONS, **PENALTY_OPTIONS}

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        rule: str | None = None,
        one_se: bool = False,
        target_df: Any = None,
        radius: Any = None,
        length_fraction: Any = None,
        noise: float | None = None,
        standardize: bool = False,
        free: Any = None,
        strengths: Any = None,
        prior_mean: Any = None,
        penalty: Any = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.rule = rule
        self.one_se = one_se
        self.target_df = target_df
        self.radius = radius
        self.length_fraction = length_fraction
        self.noise = noise
        self.standardize = standardize
        self.free = free
        self.strengths = strengths
        self.prior_mean = prior_mean
        self.penalty = penalty

    def _search(self, data: Data, y: np.ndarray, asked: Routed, scoring: Scoring | None) -> None:
        """Choose λ on checked data and keep the Fit. ``y`` is what splitters see."""
        wish = self._wish(data, y, asked, scoring)
        problem = self._problem(data)
        with refuse_late(data, scoring is None and goes_by_moments(problem, wish.method)):
            fit = fit_wish(problem, wish)
        self._keep(fit, data)
        alpha = fit.solution.alpha
        self.alpha_ = alpha.copy() if wish.several and alpha.size > 1 else float(alpha[0])
        self.best_score_ = best_score(fit, wish)
        if self.store_cv_results:
            results = row_results(fit, self._listed(), data.y, scoring is not None).astype(data.dtype)
            self.cv_results_ = results[:, 0] if data.single else results

    def _wish(self, data: Data, y: np.ndarray, asked: Routed, scoring: Scoring | None) -> Wish:
        own = self.rule is not None or self._automatic()
        per_target = getattr(self, "alpha_per_target", False)
        if self.cv is not None and not own:
            for name in ("store_cv_results", "alpha_per_target"):
                if getattr(self, name, False):
                    raise UsageError(
                        f"cv!=None and {name}=True are incompatible; add rule='kfold' for the second"
                    )
        if self.store_cv_results and (
            self._automatic() or (own and self.rule != "loo") or self.cv is not None
        ):
            raise UsageError(
                "store_cv_results keeps leave-one-out errors: use it with cv=None and a list of alphas"
            )
        splits = None
        if self.cv is not None or self.rule in ("kfold", "cv"):
            splits = splits_of(self.cv, data.X, y, is_classifier(self), **asked.split)
        return Wish(
            alphas=None if self._automatic() else self._checked(),
            rule=self.rule,
            one_se=self.one_se,
            per_target=per_target,
            target_df=self.target_df,
            radius=getattr(self, "radius", None),
            length_fraction=getattr(self, "length_fraction", None),
            noise=self.noise,
            method=self._method(data.X),
            splits=splits,
            scoring=scoring,
            pooled=own,
        )

    def _automatic(self) -> bool:
        return isinstance(self.alphas, str)

    def _listed(self) -> np.ndarray:
        return np.atleast_1d(np.asarray(self.alphas, dtype=float))

    def _checked(self) -> np.ndarray:
        """The strengths as floats; 0 only where a rule of ours or folds decide, as in scikit-learn."""
        zero = self.cv is not None or self.rule is not None
        bounds = "left" if zero else "neither"
        values = [self.alphas] if np.ndim(self.alphas) == 0 else list(self.alphas)
        if not values:
            raise InputError("alphas is empty: give at least one strength, or 'auto'")
        for i, value in enumerate(values):
            name = f"alphas[{i}]" if len(values) > 1 else "alphas"
            check_scalar(value, name, target_type=Real, min_val=0.0, include_boundaries=bounds)
            if np.isnan(value):
                raise InputError(f"{name} is NaN: a strength must be a number >= 0")
        return np.asarray(values, dtype=float)

    def _method(self, X: Any) -> str:
        if getattr(self, "gcv_mode", None) != "svd":
            return "auto"
        if sparse.issparse(X):
            warnings.warn(
                "The 'svd' mode is not supported for sparse X, which is not made dense: its Gram or kernel "
                "matrix is used",
                FutureWarning,
                stacklevel=5,
            )
            return "auto"
        return "svd"

    # -- metadata ---------------------------------------------------------------------------------

    def _routed(self, sample_weight: Any, params: dict[str, Any]) -> Routed:
        if get_config()["enable_metadata_routing"]:
            if sample_weight is not None:
                params = {**params, "sample_weight": sample_weight}
            routed = process_routing(self, "fit", **params)
            return Routed(dict(routed.scorer.score), dict(routed.splitter.split))
        groups = params.pop("groups", None)
        refuse_params(params, self, "fit")
        score = {} if sample_weight is None else {"sample_weight": sample_weight}
        return Routed(score, {} if groups is None else {"groups": groups})

    def get_metadata_routing(self) -> MetadataRouter:
        """Which metadata go where: to the scorer, and to the splitter."""
        mapping = MethodMapping
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(scorer=self._get_scorer(), method_mapping=mapping().add(caller="fit", callee="score"))
            .add(splitter=self.cv, method_mapping=mapping().add(caller="fit", callee="split"))
        )

    def _get_scorer(self) -> Any:
        if get_config()["enable_metadata_routing"] and self.scoring is None:
            return self._get_scorer_instance().set_score_request(sample_weight=True)
        return check_scoring(estimator=self, scoring=self.scoring, allow_none=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
