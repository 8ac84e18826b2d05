"""The chosen λ in the conventions that people know."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.diagnosing.view import View
from elltwo.errors import ElltwoError
from elltwo.laws.converting import conversion
from elltwo.laws.setting import Setting

RAW = (
    ("sklearn.Ridge", "scikit-learn Ridge(alpha=…)"),
    ("glmnet(standardize=FALSE)", "R glmnet lambda, standardize = FALSE"),
    ("statsmodels.OLS", "statsmodels fit_regularized(alpha=…, L1_wt=0)"),
    ("torch.weight_decay(MSELoss)", "PyTorch SGD weight_decay, mean squared loss"),
)
STANDARDIZED = (
    ("sklearn.Ridge", "scikit-learn Ridge(alpha=…) after StandardScaler"),
    ("glmnet", "R glmnet lambda (its default, standardize = TRUE)"),
    ("MASS.lm.ridge", "R MASS lm.ridge(lambda = …)"),
    ("torch.weight_decay(MSELoss)", "PyTorch SGD weight_decay, standardized inputs, mean squared loss"),
)


def strengths(view: View, sd_y: float, standardize: bool) -> list[dict[str, Any]]:
    """Rows of name, value, meaning, and how the value follows λ (``follows``, with its ``factor``)."""
    sigma2, alpha = float(view.solution.sigma2[view.which]), view.alpha
    setting = Setting(
        n=view.rotated.spectrum.weight,
        sd_y=sd_y if sd_y > 0 else None,
        noise_variance=sigma2 if sigma2 > 0 else None,
        fit_intercept=view.rotated.spectrum.free.intercept,
        standardized=standardize,
    )
    rows = [
        {
            "name": "total λ (this program)",
            "value": alpha,
            "follows": "times",
            "factor": 1.0,
            "meaning": "Σ(y − ŷ)² + λ‖w‖²",
        }
    ]
    rows += [
        row
        for name, said in (STANDARDIZED if standardize else RAW)
        if (row := _row(name, said, setting, alpha))
    ]
    r, what = view.rotated, ", standardized" if standardize else ""
    most = f"of {r.spectrum.directions + r.spectrum.free.rank:g} without regularization"
    norm = float(view.solution.norm[view.which])
    rows.append(_follows("degrees of freedom", view.df(alpha), "df", 1.0, most))
    rows.append(
        _follows("radius t of ‖w‖ ≤ t", norm, "norm", 1.0, f"the ball that holds the coefficients{what}")
    )
    if sigma2 > 0:
        sd = float(np.inf if alpha == 0 else np.sqrt(sigma2 / alpha))
        meaning = "each coefficient expected within about ± this, before seeing the data"
        rows.append(_follows("Gaussian prior, standard deviation", sd, "root_over", sigma2, meaning))
    return rows


def _follows(name: str, value: float, follows: str, factor: float, meaning: str) -> dict[str, Any]:
    return {"name": name, "value": value, "follows": follows, "factor": factor, "meaning": meaning}


def _row(name: str, said: str, setting: Setting, alpha: float) -> dict[str, Any] | None:
    """One convention that is proportional to λ; None where a fact that it needs is missing."""
    try:
        done = conversion(1.0, "total", name, setting)
    except ElltwoError:
        return None
    factor = float(np.asarray(done.value))
    return _follows(said, alpha * factor, "times", factor, done.target.objective) | {"convention": name}
