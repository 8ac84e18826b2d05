"""Ridge and RidgeCV on Dask tables: the same names and numbers as in memory, and no row comes home."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

from sklearn.model_selection import KFold

from elltwo import Ridge, RidgeCV
from elltwo.errors import UsageError

KFOLD = KFold(5, shuffle=True, random_state=0)


def table(n=700):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((n, 3)) + np.array([0.0, 5.0, -1e3]), columns=["a", "b", "c"])
    y = X.a - 2 * X.b + 0.1 * rng.standard_normal(n) * np.sqrt(n)
    return X, y, rng.uniform(0.5, 2.0, n)


def pieces(kind, X, y, w):
    if kind == "frame":
        both = dd.from_pandas(X.assign(y=y, w=w), npartitions=4)
        return both[list("abc")], both["y"], both["w"]
    return (da.from_array(v.to_numpy() if hasattr(v, "to_numpy") else v, chunks=200) for v in (X, y, w))


@pytest.fixture(autouse=True)
def nothing_comes_home(monkeypatch):
    for kind in (da.Array, dd.DataFrame):
        monkeypatch.setattr(kind, "__array__", lambda *a, **k: pytest.fail("rows were brought home"))


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize(
    "options", [{}, {"alphas": "auto", "standardize": True, "free": [0]}, {"rule": "gcv"}]
)
def test_a_search_equals_the_one_in_memory_on_the_same_folds(kind, options):
    X, y, w = table()
    found = RidgeCV(**options).fit(*pieces(kind, X, y, w))
    here = RidgeCV(**{"rule": "kfold", "cv": KFOLD, **options}).fit(X, y, w)
    assert found.alpha_ == pytest.approx(here.alpha_, rel=1e-6)
    np.testing.assert_allclose(found.coef_, here.coef_, rtol=1e-7)
    assert found.best_score_ == pytest.approx(here.best_score_, rel=1e-9)
    assert found.n_features_in_ == 3
    if kind == "frame":
        assert list(found.feature_names_in_) == ["a", "b", "c"]
    if "standardize" in options:
        np.testing.assert_allclose(found.coef_standardized_, here.coef_standardized_, rtol=1e-7)


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_a_given_strength_gives_the_fit_in_memory_and_lazy_predictions(kind):
    X, y, w = table()
    far, targets, weights = pieces(kind, X, y, w)
    found, here = Ridge(3.0).fit(far, targets, weights), Ridge(3.0).fit(X, y, w)
    np.testing.assert_allclose(found.coef_, here.coef_, rtol=1e-10)
    assert found.intercept_ == pytest.approx(here.intercept_, rel=1e-10)
    lazy = found.predict(far)
    assert hasattr(lazy, "dask")
    np.testing.assert_allclose(lazy.compute(), here.predict(X), rtol=1e-9)


def test_several_targets_by_their_names_in_the_frame():
    X, y, _ = table()
    whole = X.assign(y=y, z=X.c - X.a)
    found = RidgeCV(alpha_per_target=True).fit(dd.from_pandas(whole, npartitions=3), ["y", "z"])
    here = RidgeCV(alpha_per_target=True, rule="kfold", cv=KFOLD).fit(X, whole[["y", "z"]])
    np.testing.assert_allclose(found.alpha_, here.alpha_)
    np.testing.assert_allclose(found.coef_, here.coef_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("face", "why"),
    [
        (RidgeCV(rule="loo"), "needs the rows|rows of the data|leave-one-out"),
        (RidgeCV(scoring="r2"), "scoring='r2' is not offered where the rows are elsewhere"),
        (RidgeCV(cv=KFOLD), "give cv as a number of folds"),
        (Ridge(positive=True), "positive=True is not offered"),
    ],
)
def test_what_needs_rows_is_refused(face, why):
    X, y, w = table(300)
    with pytest.raises(UsageError, match=why):
        face.fit(*pieces("array", X, y, w))
