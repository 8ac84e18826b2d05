"""Faces live in scikit-learn's world: frames, pipelines, searches, routing, pickles, clones."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import elltwo
from elltwo import Ridge, RidgeClassifierCV, RidgeCV, explain
from problems import random_problem

PROBLEM = random_problem(n=60, p=4, t=1)
A, Y = PROBLEM.A, PROBLEM.b[:, 0]


def test_the_door_leads_to_all_four_faces() -> None:
    for name in ("Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV", "explain"):
        assert getattr(elltwo, name).__name__ == name


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_keep_their_names(frame: type) -> None:
    table = frame(dict(zip("abcd", A.T, strict=True)))
    model = RidgeCV(free="b").fit(table, Y)
    assert list(model.feature_names_in_) == list("abcd")
    np.testing.assert_allclose(model.predict(table), RidgeCV(free=1).fit(A, Y).predict(A))


def test_a_pipeline_with_categories_and_output_as_frames_can_be_searched() -> None:
    table = pd.DataFrame(A, columns=list("abcd")).assign(kind=np.array(["u", "v", "w"])[np.arange(60) % 3])
    encode = ColumnTransformer(
        [("text", OneHotEncoder(sparse_output=False), ["kind"])], remainder=StandardScaler()
    ).set_output(transform="pandas")
    search = GridSearchCV(make_pipeline(encode, Ridge()), {"ridge__alpha": [0.1, 10.0]}, cv=3).fit(table, Y)
    assert search.best_params_["ridge__alpha"] in (0.1, 10.0)
    assert "text__kind_u" in search.best_estimator_[-1].feature_names_in_


def test_a_pickle_keeps_the_spectrum_and_leaves_the_data_behind() -> None:
    rng = np.random.default_rng(0)
    design = rng.normal(size=(60_000, 40))
    y = design[:, 0] + rng.normal(size=60_000)
    model = RidgeCV(alphas="auto", rule="gcv").fit(design, y)
    data = pickle.dumps(model)
    assert len(data) < 400_000 < design.nbytes
    back = pickle.loads(data)
    np.testing.assert_array_equal(back.predict(design[:5]), model.predict(design[:5]))
    np.testing.assert_array_equal(back.standard_errors(), model.standard_errors())
    np.testing.assert_array_equal(back.path([1.0]).coef, model.path([1.0]).coef)
    assert model.leverages().shape == (60_000,), "pickling must not change the model"


def test_a_clone_has_every_option_and_no_fit() -> None:
    model = RidgeCV(alphas="auto", rule="gcv", standardize=True, free=[0], noise=2.0).fit(A, Y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")


def test_cross_validate_passes_weights_and_groups_where_routing_sends_them() -> None:
    groups = np.arange(60) % 5
    with config_context(enable_metadata_routing=True):
        model = RidgeCV(cv=GroupKFold(3)).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        out = cross_validate(
            model, A, Y, params={"sample_weight": PROBLEM.weights, "groups": groups}, cv=GroupKFold(5)
        )
    assert out["test_score"].shape == (5,)


def test_the_choice_by_groups_is_the_same_with_and_without_routing() -> None:
    groups = np.arange(60) // 12
    alphas = np.logspace(-2, 3, 8)
    plain = RidgeCV(alphas=alphas, cv=GroupKFold(5)).fit(A, Y, groups=groups)
    with config_context(enable_metadata_routing=True):
        routed = RidgeCV(alphas=alphas, cv=GroupKFold(5)).fit(A, Y, groups=groups)
    assert plain.alpha_ == routed.alpha_
    assert plain.best_score_ == routed.best_score_


def test_the_data_are_neither_changed_nor_copied() -> None:
    design, y = A.copy(), Y.copy()
    for model in (Ridge(copy_X=False), RidgeCV(), RidgeCV(cv=3, rule="kfold")):
        model.fit(design, y)
        np.testing.assert_array_equal(design, A)
        np.testing.assert_array_equal(y, Y)
    big = np.random.default_rng(0).normal(size=(8000, 80))
    model = RidgeCV().fit(big, big[:, 0])
    assert np.shares_memory(model.rotated_.spectrum.rows.A, big)


def test_fitting_a_large_table_takes_a_block_of_memory_and_not_a_copy() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    design = rng.normal(size=(150_000, 60))
    y = rng.normal(size=150_000)
    tracemalloc.start()
    for model in (RidgeCV(alphas="auto"), RidgeCV(alphas="auto", cv=5)):
        model.fit(design, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * design.nbytes


def test_sparse_designs_are_never_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    design = sparse.random_array((3000, 50), density=0.05, rng=np.random.default_rng(0), format="csr")

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        if self.shape[0] >= 600:  # Gram matrices and held-out blocks of a few rows may be dense
            raise AssertionError(f"{self.shape} was made dense")
        return original(self, *args, **kwargs)

    original = sparse.csr_array.toarray
    monkeypatch.setattr(sparse.csr_array, "toarray", refuse)
    y = np.asarray(design[:, :1].sum(axis=1)).ravel()
    for model in (Ridge(), RidgeCV(), RidgeCV(cv=5), RidgeCV(cv=6, rule="kfold", standardize=True)):
        model.fit(design, y)


@pytest.mark.parametrize("what", ["path", "selection", "shrinkage", "geometry"])
def test_every_plot_is_a_figure_drawn_from_the_facts(what: str) -> None:
    figure = getattr(RidgeCV(alphas="auto").fit(A, Y), f"plot_{what}")()
    assert figure.axes


def test_explain_names_what_a_fit_then_uses() -> None:
    rng = np.random.default_rng(0)
    for shape in ((30, 4), (60_000, 50), (60, 20_000)):
        design = rng.normal(size=shape)
        told = explain(design)
        model = Ridge().fit(design, design[:, 0])
        assert told.factorization == model.solver_
        assert told.factorization_reason == model.spectrum_.origin.reason
        assert str(told).splitlines()[0].startswith(f"{shape[0]} rows, {shape[1]} columns, 1 target, dense")


def test_explain_names_the_rule_and_why() -> None:
    assert explain(A, Y).rule == "loo"
    assert explain(A, Y, cv=5).rule == "kfold"
    assert explain(A, Y, rule="sure").rule == "mallows"
    assert explain(A, Y, alpha=1.0).rule_reason == "the strength is given"
    assert explain(A, Y, positive=True).solver == "nnls"
    assert explain(sparse.eye_array(9000, format="csr")).factorization == "sparse_cg"
    assert all(len(line) <= 80 for line in str(explain(A, Y)).splitlines())


def test_multilabel_targets_are_predicted_as_indicators() -> None:
    labels = np.column_stack([Y > 0, A[:, 0] > 3]).astype(int)
    model = RidgeClassifierCV(alphas="auto").fit(A, labels)
    assert model.predict(A).shape == labels.shape
    assert set(np.unique(model.predict(A))) <= {0, 1}
