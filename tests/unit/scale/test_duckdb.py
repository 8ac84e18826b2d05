"""DuckDB relations come in through the Arrow C stream: read, streamed, and fitted by the faces."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

duckdb = pytest.importorskip("duckdb")

from sklearn.model_selection import KFold

from elltwo import Ridge, RidgeCV
from elltwo.errors import DataError, InputError
from elltwo.scale.commands import fit_moments
from elltwo.tables.folds import row_folds
from elltwo.tables.read import read_table
from scale_files import frame


def table(n=700):
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.standard_normal((n, 3)) + np.array([0.0, 5.0, -1e3]), columns=["a", "b", "c"])
    return found.assign(y=found.a - 2 * found.b + rng.standard_normal(n), w=rng.uniform(0.5, 2, n))


def relation(of, query="select * from of"):
    return duckdb.connect().from_df(of).query("of", query)


def test_a_relation_is_read_as_the_table_that_it_stands_for():
    here = frame(300).astype({"c": object, "e": object})
    found = read_table(relation(here)).arrow.to_pandas()
    pd.testing.assert_frame_equal(found[["x0", "x1", "y"]], here[["x0", "x1", "y"]])
    assert found.c.isna().equals(here.c.isna())


def test_a_relation_with_text_and_gaps_is_fitted_as_the_frame_is():
    here = frame(600).astype({"c": object, "e": object}).where(lambda t: t.notna(), None)
    numbers = here.assign(**{f"x{i}": here[f"x{i}"].astype(float) for i in range(4)}, y=here.y.astype(float))
    one, other = (fit_moments(source, "y") for source in (relation(numbers), numbers))
    assert one.names == other.names
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-9)
    np.testing.assert_allclose(one.solution.alpha, other.solution.alpha, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_cv_on_a_relation_is_that_of_memory(weighted):
    here = table()
    w = here.w if weighted else None
    query = "select * from of" if weighted else "select a, b, c, y from of"
    found = RidgeCV("auto").fit(relation(here, query), "y", sample_weight="w" if weighted else None)
    cv = KFold(5, shuffle=True, random_state=0)
    there = RidgeCV("auto", rule="kfold", cv=cv).fit(here[list("abc")], here.y, sample_weight=w)
    assert found.alpha_ == pytest.approx(there.alpha_, rel=1e-7)
    np.testing.assert_allclose(found.coef_, there.coef_, rtol=1e-8)
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    predicted = found.predict(relation(here, "select c, b, a from of"))
    np.testing.assert_allclose(predicted, there.predict(here[list("abc")]), rtol=1e-8)


def test_ridge_and_several_targets():
    here = table().drop(columns="w")
    found = Ridge(2.0).fit(relation(here), ["y", "a"])
    there = Ridge(2.0).fit(here[["b", "c"]], here[["y", "a"]])
    np.testing.assert_allclose(found.coef_, there.coef_, rtol=1e-8)


def test_many_rows_have_the_folds_of_their_numbers():
    query = "select i % 97 as a, (i * 7919 % 1013) / 100.0 as b, i % 97 + (i * 31 % 11) as y from range(120000) t(i)"
    connection = duckdb.connect()
    found = RidgeCV(alphas=[1.0, 100.0]).fit(connection.sql(query), "y")
    here = connection.sql(query).df()
    folds = row_folds(0, 120_000, 5, 0)
    cv = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]
    there = RidgeCV(alphas=[1.0, 100.0], rule="kfold", cv=cv).fit(here[["a", "b"]], here.y)
    assert found.best_score_ == pytest.approx(there.best_score_, rel=1e-9)


@pytest.mark.parametrize(
    ("query", "y", "error", "said"),
    [
        ("select a, y from of", "z", InputError, "give the target"),
        ("select a, y from of", np.zeros(700), InputError, "names of its columns"),
        ("select a, 'x' as t, y from of", "y", DataError, "'t' holds string where numbers belong"),
        ("select a, case when a > 0 then b end as b, y from of", "y", InputError, "'b' has missing values"),
        ("select a, y from of where a > 100", "y", InputError, "no rows"),
    ],
)
def test_relations_that_cannot_be_fitted_are_refused(query, y, error, said):
    with pytest.raises(error, match=said):
        RidgeCV().fit(relation(table(), query), y)
