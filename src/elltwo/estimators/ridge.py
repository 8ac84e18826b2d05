"""Ridge at a given strength, with scikit-learn's names and answers; and its function form."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin, RegressorMixin

from elltwo.errors import InputError
from elltwo.estimators.elsewhere import solve_elsewhere
from elltwo.estimators.face import refuse_solver
from elltwo.estimators.solving import SolverFace
from elltwo.estimators.validating import check_data, make_data
from elltwo.tables.moments.offers import offer_for


class Ridge(MultiOutputMixin, RegressorMixin, SolverFace):
    """Least squares with an L2 penalty of given strength.

    Minimises, over x and an unpenalised intercept g,

        sum_i w_i (y_i - g - a_i'x)^2 + alpha * ||L diag(sqrt(strengths)) (x - prior_mean)||^2

    (no 1/2, no 1/n; L is the identity unless ``penalty`` is given). With the defaults this is
    scikit-learn's Ridge: same parameters, same attributes, same answers.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength, >= 0; one for all targets or one per target.
    fit_intercept : bool, default=True
    copy_X : bool, default=True
        Accepted for compatibility; X is never changed, and never copied where that can be avoided.
    max_iter : int, optional
        Most iterations of the iterative solvers.
    tol : float, default=1e-4
        Tolerance of the iterative solvers; the others are exact.
    solver : {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}, default="auto"
        "auto" factors once, by shape: SVD, Gram or kernel matrix, with a guard on the digits; conjugate
        gradients for sparse designs of more than 5000 rows and columns. "sag" and "saga" are accepted and
        answered as "auto" is. What was run stands in ``solver_``.
    positive : bool, default=False
        Keep all coefficients >= 0 (SciPy's nnls, or L-BFGS-B with solver="lbfgs").
    random_state : int, RandomState or None
        Accepted for compatibility; nothing here is random.
    standardize : bool, default=False
        Penalise columns divided by their (population, weighted) standard deviation; ``coef_`` stays on the
        original scale, ``coef_standardized_`` is the other.
    free : column names, numbers or mask, optional
        Columns without any penalty.
    strengths : array-like of shape (n_features,), optional
        Factor on alpha for each column; 0 is free.
    prior_mean : array-like of shape (n_features,) or (n_targets, n_features), optional
        Coefficients that are shrunk toward.
    penalty : array or sparse array of shape (m, n_features), optional
        The matrix L; what it cannot see is free.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    intercept_ : float or ndarray of shape (n_targets,)
    n_iter_ : ndarray of shape (n_targets,) or None
        A true count ("lsqr", "lbfgs"), else None.
    solver_ : str
        "svd", "gram", "dual", "cholesky", "sparse_cg", "lsqr", "nnls" or "lbfgs".
    n_features_in_, feature_names_in_ : as in scikit-learn.
    spectrum_, rotated_, solution_ : the shared objects of elltwo (`elltwo.facts`); the first two are None
        after cholesky, lsqr, sparse_cg, nnls and lbfgs.
    selection_ : None, as alpha was given.
    coef_standardized_ : with ``standardize``.

    Raises
    ------
    InputError
        NaN, infinity, text, negative weights, impossible combinations: what, where, and what to do.

    References
    ----------
    Hoerl & Kennard, Technometrics 12 (1970) 55.

    Examples
    --------
    >>> import numpy as np
    >>> from elltwo import Ridge
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]), np.array([0.0, 2.0, 1.0])
    >>> Ridge(alpha=1.0).fit(X, y).coef_.round(3)
    array([0.333, 0.6  ])
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit at ``alpha``.

        Parameters
        ----------
        X : array, sparse array or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : float or array-like of shape (n_samples,), optional
            Nonnegative; rows of weight 0 are left out.
        """
        self._validate_params()
        if (offer := offer_for(X)) is not None:
            return solve_elsewhere(self, offer, X, y, sample_weight)
        refuse_solver(self.solver, self.positive, X, self.fit_intercept)
        X, y = check_data(self, X, y)
        self._solve(make_data(self, X, y, sample_weight))
        return self


def ridge_regression(
    X: Any,
    y: Any,
    alpha: Any,
    *,
    sample_weight: Any = None,
    solver: str = "auto",
    max_iter: int | None = None,
    tol: float = 1e-4,
    verbose: int = 0,
    positive: bool = False,
    random_state: Any = None,
    return_n_iter: bool = False,
    return_intercept: bool = False,
    check_input: bool = True,
) -> Any:
    """Coefficients that minimise ||y - Xw||^2 + alpha ||w||^2, as scikit-learn's function of this name.

    No intercept is fitted unless ``return_intercept`` asks for it (solver "auto" or "sag").

    Returns
    -------
    coef of shape (n_features,) or (n_targets, n_features); then n_iter and the intercept, if asked for.

    Raises
    ------
    InputError
        Combinations that cannot be.
    """
    if positive and solver not in ("auto", "lbfgs"):
        raise InputError(
            "When positive=True, only 'lbfgs' solver can be used. "
            f"Please change solver {solver} to 'lbfgs' or set positive=False."
        )
    if return_intercept and solver not in ("auto", "sag"):
        raise InputError(
            "In Ridge, only 'sag' solver can directly fit the intercept. "
            "Please change solver to 'sag' or 'auto', or set return_intercept=False."
        )
    model = Ridge(
        alpha,
        fit_intercept=return_intercept,
        solver=solver,
        max_iter=max_iter,
        tol=tol,
        positive=positive,
        random_state=random_state,
    )
    model.fit(X if sparse.issparse(X) else np.asarray(X), y, sample_weight)
    wanted: list[Any] = [model.coef_]
    wanted += [model.n_iter_] if return_n_iter else []
    wanted += [model.intercept_] if return_intercept else []
    return wanted[0] if len(wanted) == 1 else tuple(wanted)
