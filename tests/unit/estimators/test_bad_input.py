"""Bad input gets one clear sentence that says what was wrong, where, and what to do; or it works."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from elltwo import Ridge, RidgeClassifierCV, RidgeCV, explain
from elltwo.errors import ElltwoError, InputError, MissingRows, UsageError

A = np.random.default_rng(0).normal(size=(20, 3))
Y = A @ [1.0, 2.0, 3.0] + np.random.default_rng(1).normal(size=20)
FACES = [Ridge, RidgeCV]


def spoiled(value: float, row: int = 4, column: int = 1) -> np.ndarray:
    out = A.copy()
    out[row, column] = value
    return out


@pytest.mark.parametrize("face", FACES)
def test_a_missing_or_infinite_value_is_counted_and_located(face: type) -> None:
    with pytest.raises(InputError, match=r"X contains 1 NaN and 0 infinity .* row 4, column 1: fill"):
        face().fit(spoiled(np.nan), Y)
    with pytest.raises(InputError, match=r"0 NaN and 1 infinity .* row 4, column 'b'"):
        face().fit(pd.DataFrame(spoiled(np.inf), columns=list("abc")), Y)
    with pytest.raises(InputError, match=r"row 4, column 1"):
        face().fit(sparse.csr_array(spoiled(np.nan)), Y)
    with pytest.raises(InputError, match=r"y contains 1 NaN .* row 2"):
        face().fit(A, np.where(np.arange(20) == 2, np.nan, Y))
    with pytest.raises(InputError, match=r"X contains 1 NaN"):
        face().fit(A, Y).predict(spoiled(np.nan))


def test_text_among_numbers_is_named_with_its_column_and_row() -> None:
    frame = pd.DataFrame(A, columns=list("abc")).astype(object)
    frame.loc[3, "b"] = "tall"
    with pytest.raises(
        InputError, match="column 'b' of X holds 'tall' at row 3, which is not a number: encode"
    ):
        Ridge().fit(frame, Y)


@pytest.mark.parametrize("face", FACES)
def test_weights_that_cannot_be_are_refused(face: type) -> None:
    w = np.ones(20)
    w[7] = -1
    with pytest.raises(InputError, match="sample_weight must be >= 0, got -1 at row 7"):
        face().fit(A, Y, w)
    with pytest.raises(InputError, match="zero in every row"):
        face().fit(A, Y, np.zeros(20))


@pytest.mark.parametrize("face", FACES)
def test_numbers_whose_squares_overflow_are_refused_and_tiny_ones_work(face: type) -> None:
    with pytest.raises(InputError, match=r"values up to 1e\+308, whose squares overflow: divide"):
        face().fit(spoiled(1e308), Y)
    np.testing.assert_allclose(
        Ridge(1e-280).fit(A * 1e-140, Y).predict(A * 1e-140), Ridge(1.0).fit(A, Y).predict(A)
    )


@pytest.mark.parametrize("alpha", [-1.0, np.nan])
def test_a_negative_or_missing_strength_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        Ridge(alpha).fit(A, Y)
    with pytest.raises(ValueError, match="alphas"):
        RidgeCV(alphas=[1.0, alpha]).fit(A, Y)


def test_huge_and_infinite_strengths_shrink_to_the_mean_and_zero_is_least_squares() -> None:
    for alpha in (1e300, np.inf):
        model = Ridge(alpha).fit(A, Y)
        np.testing.assert_allclose(model.coef_, 0.0, atol=1e-290)
        assert model.intercept_ == pytest.approx(Y.mean())
    design = np.column_stack([A, np.ones(20)])
    np.testing.assert_allclose(Ridge(0.0).fit(A, Y).coef_, np.linalg.lstsq(design, Y, rcond=None)[0][:3])


@pytest.mark.parametrize("face", FACES)
def test_degenerate_tables_work(face: type) -> None:
    constant = face().fit(np.column_stack([A, np.ones(20)]), Y)
    assert constant.coef_[-1] == pytest.approx(0.0, abs=1e-12)
    flat = face().fit(A, np.full(20, 3.0))
    np.testing.assert_allclose(flat.coef_, 0.0, atol=1e-14)
    assert flat.intercept_ == pytest.approx(3.0)
    nothing = face().fit(np.zeros((20, 2)), Y)
    np.testing.assert_array_equal(nothing.coef_, 0.0)
    assert nothing.intercept_ == pytest.approx(Y.mean())


def test_automatic_choices_survive_degenerate_tables() -> None:
    for design, target in ((np.zeros((20, 2)), Y), (A, np.full(20, 3.0)), (np.ones((20, 1)), Y)):
        model = RidgeCV(alphas="auto").fit(design, target)
        np.testing.assert_allclose(model.predict(design), target.mean(), atol=1e-9)


def test_one_row_is_enough_for_a_given_strength_and_too_few_for_leave_one_out() -> None:
    assert Ridge().fit(A[:1], Y[:1]).intercept_ == pytest.approx(Y[0])
    with pytest.raises(InputError, match="leave-one-out needs at least 2 rows"):
        RidgeCV().fit(A[:1], Y[:1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"free": "x"}, "free='x' must name a column, and no column is called that"),
        ({"free": 9}, "free=9 is no column: X has 3"),
        ({"free": [0.5]}, "free takes column names, numbers or a mask"),
        ({"strengths": [1.0, 2.0]}, r"strengths needs one number per column \(3\)"),
        ({"strengths": [1.0, -2.0, 0.0]}, "strengths must be finite numbers >= 0"),
        ({"prior_mean": [1.0]}, r"prior_mean needs shape \(3,\) or \(1, 3\)"),
        ({"prior_mean": [1.0, np.nan, 0.0]}, "prior_mean must be finite"),
        ({"penalty": np.eye(2)}, "penalty must be a finite matrix with 3 columns"),
    ],
)
def test_penalty_options_that_do_not_fit_are_refused(options: dict, said: str) -> None:
    frame = pd.DataFrame(A, columns=list("abc"))
    for face in FACES:
        with pytest.raises(InputError, match=said):
            face(**options).fit(frame, Y)


def test_a_name_that_two_columns_share_is_refused() -> None:
    with pytest.raises(InputError, match="2 columns are called 'a': rename"):
        Ridge().fit(pd.DataFrame(A, columns=["a", "a", "b"]), Y)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alphas": []}, "alphas is empty"),
        ({"cv": 21}, "number of folds must lie between 2 and"),
        ({"cv": [0] * 20}, "needs at least 2 folds"),
        ({"rule": "discrepancy"}, "needs the noise level: pass noise"),
        ({"rule": "gcv", "one_se": True}, "needs a standard error"),
        ({"target_df": 9.0}, "degrees of freedom must lie between 1 and 4"),
        ({"cv": 3, "store_cv_results": True}, "cv!=None and store_cv_results=True are incompatible"),
        ({"alphas": "auto", "store_cv_results": True}, "store_cv_results keeps leave-one-out errors"),
    ],
)
def test_choices_that_cannot_be_made_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ElltwoError, match=said):
        RidgeCV(**options).fit(A, Y)


def test_mallows_without_rows_to_spare_names_the_rules_that_work() -> None:
    wide = np.random.default_rng(2).normal(size=(8, 20))
    with pytest.raises(UsageError, match=r"noise level.*loo, gcv"):
        RidgeCV(rule="mallows").fit(wide, Y[:8])
    assert RidgeCV(rule="mallows", noise=1.0).fit(wide, Y[:8]).alpha_ > 0


def test_a_sparse_design_too_large_to_choose_on_says_what_works() -> None:
    design = sparse.eye_array(6000, format="csr")
    with pytest.raises(InputError, match=r"min\(n, p\) = 6000 of this sparse design exceeds 5000"):
        RidgeCV().fit(design, np.ones(6000))


def test_rows_that_a_pickle_left_behind_are_asked_for_in_a_sentence() -> None:
    import pickle

    model = pickle.loads(pickle.dumps(RidgeCV().fit(A, Y)))
    with pytest.raises(MissingRows, match="leverages needs the rows"):
        model.leverages()


def test_classes_of_numbers_with_fractions_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown label type"):
        RidgeClassifierCV().fit(A, Y)


def test_explain_refuses_what_is_not_a_table() -> None:
    with pytest.raises(InputError, match="X must have two dimensions"):
        explain(np.zeros(3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize(
    "fit",
    [
        lambda X: Ridge().fit(X, Y),
        lambda X: Ridge(solver="lsqr").fit(X, Y),
        lambda X: Ridge(positive=True).fit(X, Y),
        lambda X: Ridge().fit(X, Y, sample_weight=np.arange(20)),
        lambda X: RidgeCV().fit(X, Y),
        lambda X: RidgeCV(rule="gcv", standardize=True).fit(X, Y),
        lambda X: RidgeCV(cv=4).fit(X, Y),
        lambda X: RidgeCV(cv=4, rule="kfold").fit(X, Y),
        lambda X: RidgeClassifierCV().fit(X, Y > 0),
    ],
)
def test_a_large_table_is_read_once_and_still_refused_in_the_same_words(value, fit, monkeypatch) -> None:
    from elltwo.estimators import validating

    monkeypatch.setattr(validating, "LATE", 0)
    monkeypatch.setattr(
        sys.modules["elltwo.factoring.choose"], "SMALL", 0
    )  # the Gram route, as for a large table
    said = "row 19, column 2" if not np.isfinite(value) else "values up to 1e\\+200, whose squares overflow"
    with pytest.raises(InputError, match=said):
        fit(spoiled(value, 19, 2))
    with pytest.raises(InputError, match=said.replace("19, column 2", "0, column 0")):
        fit(spoiled(value, 0, 0))
