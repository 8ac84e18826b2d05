"""The dictionary of conventions: complete, invertible, and refusing in words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elltwo
from elltwo.errors import ChoiceWarning, ConversionError, InputError, UsageError
from elltwo.facts.strength import Strength
from elltwo.laws.conventions import CONVENTIONS
from elltwo.laws.converting import convert, find

RNG = np.random.default_rng(7)
X = RNG.normal(size=(40, 4)) * np.array([1.0, 5.0, 0.1, 2.0])
Y = X @ np.array([1.0, 0.2, -4.0, 0.0]) + RNG.normal(size=40)
FULL = {"X": X, "y": Y, "noise_variance": 0.7}
REAL = [name for name, row in CONVENTIONS.items() if not row.refusal]
ONE_NUMBER = [n for n in REAL if n not in ("per_column", "himalaya.GroupRidge", "df", "radius", "fracridge")]


def quietly(*args, **facts):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChoiceWarning)
        return convert(*args, **facts)


@pytest.mark.parametrize("name", ONE_NUMBER)
@given(value=st.floats(1e-6, 1e6))
@settings(max_examples=10, deadline=None)
def test_there_and_back_is_the_same_number(name, value):
    """Through glum, which takes any loss, on the same kind of columns as the convention."""
    middle = {"raw": "glum", "sd": "glum(scale_predictors=True)", "rms": "SAS.REG", "any": "glum"}[
        CONVENTIONS[name].columns
    ]
    if name == "statsmodels.GLM(Gaussian)":
        there = quietly(value, middle, name, **FULL)
        # several lambdas may share its alpha; then it must say so instead of picking one
        try:
            back = quietly(there, name, middle, **FULL)
        except ConversionError:
            logs = np.linspace(-30, 30, 2000)
            alphas = np.array([quietly(np.exp(t), middle, name, **FULL) for t in logs])
            assert np.sum(np.diff(np.sign(alphas - there)) != 0) > 1
            return
        assert back == pytest.approx(value, rel=1e-9)
        return
    there = quietly(value, name, middle, **FULL)
    assert quietly(there, middle, name, **FULL) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("name", "top"), [("df", 5.0), ("radius", 0.9), ("fracridge", 1.0)])
@pytest.mark.parametrize("other", ["sklearn.Ridge", "glmnet", "MASS"])
@given(share=st.floats(0.3, 0.95))
@settings(max_examples=10, deadline=None)
def test_implicit_strengths_come_back_in_any_columns(name, top, other, share):
    goal = share * top
    assert convert(convert(goal, name, other, **FULL), other, name, **FULL) == pytest.approx(goal, rel=1e-10)


@pytest.mark.parametrize("name", [n for n in REAL if CONVENTIONS[n].needs])
def test_a_missing_fact_is_named(name):
    for fact in CONVENTIONS[name].needs:
        facts = {"n": 40.0, "sd_y": 1.3, "noise_variance": 0.7, "standardized": True} | (
            {"X": X, "y": Y} if {"X", "y"} & set(CONVENTIONS[name].needs) else {}
        )
        facts.pop(fact)
        with pytest.raises(ConversionError, match=f"{fact}="):
            quietly(1.0, name, "total" if CONVENTIONS[name].loss == "squared" else "half_mean", **facts)


def test_different_scalings_ask_for_the_columns():
    with pytest.raises(ConversionError, match="give X= or sd_x="):
        convert(1.0, "MASS", "sklearn.Ridge")
    with pytest.raises(ConversionError, match="differs from column to column"):
        convert(1.0, "MASS", "sklearn.Ridge", X=X)
    assert convert(1.0, "MASS", "sklearn.Ridge", standardized=True) == 1.0
    np.testing.assert_allclose(convert(2.0, "MASS", "per_column", X=X), 2 * X.var(0))
    np.testing.assert_allclose(convert(2.0, "MASS", "per_column", sd_x=X.std(0)), 2 * X.var(0))
    assert convert(2.0, "MASS", "SAS", n=10) == 0.2


def test_losses_do_not_mix():
    with pytest.raises(ConversionError, match="log loss"):
        convert(1.0, "LogisticRegression", "Ridge")
    assert convert(4.0, "LogisticRegression", "total") == 0.25


def test_adamw_has_no_lambda():
    with pytest.raises(ConversionError, match="no fixed objective"):
        convert(0.01, "AdamW", "total", n=10)


def test_a_penalised_intercept_is_announced():
    with pytest.warns(ChoiceWarning, match=r"LIBLINEAR -s 11 penalises the intercept"):
        convert(1.0, "Ridge", "LIBLINEAR -s 11")
    assert convert(1.0, "Ridge", "LIBLINEAR -s 11", fit_intercept=False) == 0.5


@pytest.mark.parametrize("value", [-1.0, float("nan"), [1.0, -2.0]])
def test_a_strength_is_not_negative(value):
    with pytest.raises(InputError, match=">= 0"):
        convert(value, "Ridge", "total")


def test_the_ends_of_the_scale_are_kept():
    assert convert(0.0, "Ridge", "sklearn.BayesianRidge", noise_variance=2.0) == 0
    assert convert(0.0, "total", "C") == np.inf
    assert convert(np.inf, "C", "total") == 0
    assert convert(1.0, "df", "total", X=X) == np.inf
    assert convert(5.0, "df", "total", X=X) == 0
    assert convert(1.0, "fracridge", "total", X=X, y=Y) == 0
    assert convert(1e9, "radius", "total", X=X, y=Y) == 0


@pytest.mark.parametrize("goal", [0.5, 5.5])
def test_degrees_of_freedom_outside_the_possible_are_refused(goal):
    with pytest.raises(InputError, match=r"\[1, 5\]"):
        convert(goal, "df", "total", X=X)


def test_a_constant_response_cannot_divide_lambda():
    with pytest.raises(InputError, match="y is constant"):
        convert(1.0, "glmnet", "total", X=X, y=np.ones(40))


def test_an_unknown_name_lists_those_that_contain_it():
    with pytest.raises(UsageError, match="glmnet\\(standardize=FALSE\\)"):
        convert(1.0, "glmnet.cv", "total")
    assert find("R.GLMNET") is find(" glmnet ")


def test_names_and_aliases_are_unique():
    names = [n.lower() for row in CONVENTIONS.values() for n in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


def test_a_path_is_converted_entry_by_entry():
    np.testing.assert_allclose(
        convert([1.0, 2.0], "glmnet(standardize=FALSE)", "Ridge", n=10, sd_y=5.0), [2.0, 4.0]
    )


def test_a_strength_carries_its_facts():
    start = Strength(0.1, "glmnet(standardize=FALSE)", n=100, sd_y=2.0)
    end = elltwo.convert(start, to="sklearn.Ridge")
    assert (end.value, end.convention, end.n) == (5.0, "sklearn.Ridge", 100)
    assert str(start) == "glmnet(standardize=FALSE) = 0.1"
    with pytest.raises(InputError):
        Strength(-1.0)
