"""RidgeCV: the strength chosen among hundreds for the price of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import get_scorer

from elltwo.estimators.elsewhere import search_elsewhere
from elltwo.estimators.scoring import GivenRegressor, Scoring, weighed
from elltwo.estimators.searching import SearchFace
from elltwo.estimators.validating import check_data, make_data
from elltwo.tables.moments.offers import offer_for


class RidgeCV(MultiOutputMixin, RegressorMixin, SearchFace):
    """Least squares with an L2 penalty whose strength is chosen from the data.

    Minimises, over x and an unpenalised intercept g,

        sum_i w_i (y_i - g - a_i'x)^2 + alpha * ||L diag(sqrt(strengths)) (x - prior_mean)||^2

    (no 1/2, no 1/n), with alpha chosen by exact leave-one-out, any cross-validation, or a rule that reads
    the spectrum; all from one factorization. With the defaults this is scikit-learn's RidgeCV: same
    parameters, same attributes, same answers.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,) or "auto", default=(0.1, 1.0, 10.0)
        Strengths to choose among. "auto": a grid from the spectrum, refined; the choice does not change when
        X or y is multiplied by a number, and 0 and infinity are possible and said.
    fit_intercept : bool, default=True
    scoring : str, callable or None
        None: minus the mean squared error for leave-one-out, R2 averaged over folds for ``cv``.
    cv : None, int, splitter, iterable of (train, test), or one fold label per row
        None is exact leave-one-out (or five folds with rule="kfold"). No fold is ever refitted on its rows:
        training moments are sums and differences of moments.
    gcv_mode : {"auto", "svd", "eigen"} or None
        "svd" factors the rows by an SVD; otherwise by shape.
    store_cv_results : bool, default=False
        Keep ``cv_results_``; for leave-one-out.
    alpha_per_target : bool, default=False
        One strength per target.
    rule : {"loo", "gcv", "rgcv", "kfold", "evidence", "mallows", "aicc", ...} or None
        What decides. With "kfold", weighted squared errors are pooled over folds (scikit-learn's cv= averages
        a score over folds).
    one_se : bool, default=False
        The largest strength within one standard error of the best score.
    target_df, radius, length_fraction : float or array-like of shape (n_targets,), optional
        Solve for the strength instead: these degrees of freedom; ||L(x - prior_mean)|| equal to this radius;
        that length over its unpenalised value. One number for all targets, or one for each.
    noise : float, optional
        Known standard deviation of the noise.
    standardize, free, strengths, prior_mean, penalty
        As in `Ridge`. Standardization is redone inside every fold.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        One per target with ``alpha_per_target``, ``radius``, ``length_fraction``, or several ``target_df``.
    best_score_ : float or ndarray of shape (n_targets,)
        Minus the deciding rule's score; greater is better.
    coef_, intercept_, n_features_in_, feature_names_in_ : as in scikit-learn.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        With ``store_cv_results``: squared leave-one-out errors, or predictions with a scorer.
    spectrum_, rotated_, selection_, solution_ : the shared objects of elltwo (`elltwo.facts`).

    Raises
    ------
    InputError, UsageError
        What was asked, what was got, what to do.

    References
    ----------
    Allen, Technometrics 16 (1974) 125; Golub, Heath & Wahba, Technometrics 21 (1979) 215.

    Examples
    --------
    >>> import numpy as np
    >>> from elltwo import RidgeCV
    >>> RidgeCV(alphas=np.logspace(-6, 6, 13)).fit([[0, 0], [0, 0], [1, 1]], [0, 0.1, 1]).alpha_
    0.01
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeCV:
        """Choose the strength and fit.

        Parameters
        ----------
        X : array, sparse array or data frame of shape (n_samples, n_features), or a Dask array or data frame:
            that is reduced to moments where its rows are, and K-fold (five, or ``cv``) decides by default,
            as leave-one-out needs rows
        y : array-like of shape (n_samples,) or (n_samples, n_targets); for Dask also names of columns of X
        sample_weight : float or array-like of shape (n_samples,), optional
        **params : ``groups`` for the splitter; others with metadata routing.
        """
        self._validate_params()
        if (offer := offer_for(X)) is not None:
            return search_elsewhere(self, offer, X, y, sample_weight)
        asked = self._routed(sample_weight, params)
        X, y = check_data(self, X, y)
        data = make_data(self, X, y, sample_weight)
        self._search(data, y, asked, self._scoring(y, data.y, asked.score))
        return self

    def _scoring(self, y: np.ndarray, targets: np.ndarray, params: dict[str, Any]) -> Scoring | None:
        if self.scoring is None:
            return None
        scorer = self._get_scorer()
        name = self.scoring if isinstance(self.scoring, str) else "score"
        params = weighed(scorer, params)
        return Scoring(scorer, GivenRegressor(), y, targets, params, self.alpha_per_target, name)

    def _get_scorer_instance(self) -> Any:
        return get_scorer("r2")
