"""Missing values: every training fold fills them with its own means, in memory, in a stream and on workers alike."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elltwo.factoring.folds import factor_with_folds, fold_moments
from elltwo.facts.problem import Penalty, Problem
from elltwo.selecting.kfold import kfold
from elltwo.selecting.nested import nested
from elltwo.tables.encode import design
from elltwo.tables.folds import fold_ids
from elltwo.tables.moments.dense import design_moments
from elltwo.tables.moments.gaps import Gaps
from elltwo.tables.plan import plan_columns

from .running import run as run_words

ALPHAS = np.array([1e-6, 0.3, 40.0])


def holes(n=600, p=4, share=0.05, seed=0):
    """Numbers at several offsets with some missing, a category with gaps, and y."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        rng.standard_normal((n, p)) + 100.0 * np.arange(p), columns=[f"x{j}" for j in range(p)]
    )
    table["y"] = table.x0 - 0.3 * table.x1 + 2 * rng.standard_normal(n)
    table[table.columns[:p]] = table[table.columns[:p]].mask(rng.random((n, p)) < share)
    return table


def encoded(table, y="y"):
    plan = plan_columns(table, y)
    made = design(table, plan)
    return plan, Problem(
        made.X, np.asarray(made.y).reshape(len(made.X), -1), None, True, Penalty(standardize=True)
    )


def refitted_errors(table, folds, alphas, scaled):
    """(L,) mean squared held-out errors of scikit-learn's Pipeline, refitted in every fold for every strength."""
    X, y = table.drop(columns="y").to_numpy(), table.y.to_numpy()
    cv = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]
    out = []
    for alpha in alphas:
        imputer = SimpleImputer(add_indicator=True)
        steps = [imputer, StandardScaler()] if scaled else [imputer]
        held = cross_val_predict(make_pipeline(*steps, Ridge(alpha, solver="svd")), X, y, cv=cv)
        out.append(np.mean((y - held) ** 2))
    return np.array(out)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(600, 4), (40, 60)])
def test_k_fold_in_memory_equals_the_pipeline_refitted_on_rows(rows, columns, scaled):
    table = holes(rows, columns)
    plan, problem = encoded(table)
    problem = Problem(problem.A, problem.b, None, True, Penalty(standardize=scaled))
    folds = fold_ids(rows, 5)
    _, trained = factor_with_folds(problem, folds, gaps=Gaps.of_plan(plan))
    expected = refitted_errors(table, folds, ALPHAS[1:], scaled)
    np.testing.assert_allclose(kfold(trained, ALPHAS[1:]).mean[:, 0], expected, rtol=1e-10)


def test_many_targets_take_the_same_means():
    table = holes()
    plan, problem = encoded(table)
    folds, gaps = fold_ids(600, 5), Gaps.of_plan(plan)
    many = Problem(problem.A, np.repeat(problem.b, 9, axis=1), None, True, problem.penalty)
    (_, few), (_, lots) = (factor_with_folds(each, folds, gaps=gaps) for each in (problem, many))
    one, nine = kfold(few, ALPHAS).mean, kfold(lots, ALPHAS).mean
    np.testing.assert_allclose(nine, np.broadcast_to(one, nine.shape), rtol=1e-9)


@pytest.mark.parametrize("weights", [None, np.random.default_rng(5).uniform(0.1, 3.0, 600)])
def test_moved_moments_are_those_of_refilled_rows(weights):
    plan, problem = encoded(holes())
    gaps, train = Gaps.of_plan(plan), fold_ids(600, 5) != 2
    w = None if weights is None else weights[train]
    [m] = design_moments(problem.A[train], problem.b[train], w, shift=problem.A[:50].mean(axis=0))
    steps = gaps.steps(m)
    np.testing.assert_allclose(gaps.steps_of_rows(problem.A[train], w), steps, rtol=1e-9)
    rows, moved = gaps.refilled(problem.A[train], steps), gaps.moved(m, steps)
    [expected] = design_moments(rows, problem.b[train], w, shift=moved.shift_x)
    for name in ("first_x", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(moved, name), getattr(expected, name), rtol=1e-9, atol=1e-8)


def test_a_column_that_training_rows_never_show_stays_as_it_is():
    table = holes(60)
    table.loc[fold_ids(60, 5) != 0, "x3"] = np.nan
    plan, problem = encoded(table)
    gaps = Gaps.of_plan(plan)
    [m] = design_moments(problem.A[fold_ids(60, 5) != 0], problem.b[fold_ids(60, 5) != 0])
    assert gaps.steps(m)[list(gaps.columns).index(plan.feature_names.index("x3"))] == 0.0


def test_a_table_without_gaps_has_none():
    assert Gaps.of_plan(plan_columns(holes(share=0.0), "y")) is None


def test_nested_errors_from_moments_are_those_of_pipelines_refitted_twice_over():
    table, alpha = holes(300), np.array([7.0])
    plan, problem = encoded(table)
    folds = fold_ids(300, 4)
    found = nested(fold_moments(problem, folds), problem.penalty, True, alpha, gaps=Gaps.of_plan(plan))
    assert found.error[0] == pytest.approx(refitted_errors(table, folds, alpha, True)[0], rel=1e-10)


def told(capsys, *words):
    ran = run_words(capsys, *words)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


@pytest.mark.parametrize(
    "options", [["--no-standardize"], ["--alpha", "3"], ["--one-se"], ["--weights", "w"]]
)
def test_memory_stream_and_workers_choose_the_same_strength_and_coefficients(capsys, tmp_path, options):
    if "--alpha" in options:
        pytest.importorskip("distributed")
    table = holes(1100)
    rng = np.random.default_rng(1)
    table["town"] = rng.choice(["Aachen", "Bonn", "Celle"], 1100)
    table.loc[rng.random(1100) < 0.05, "town"] = None
    if "w" in options:
        table["w"] = rng.uniform(0.5, 2, 1100)
    table.to_csv(tmp_path / "t.csv", index=False)
    words = ["fit", str(tmp_path / "t.csv"), "-t", "y", "--rule", "kfold", "--json", *options]
    ways = [["--no-stream"], ["--stream"]] + [["--workers", "2"]] * ("--alpha" in options)
    first, *others = (told(capsys, *words, *way) for way in ways)
    for other in others:
        same = {"rel": 1e-9}
        assert other["strength"]["value"] == pytest.approx(first["strength"]["value"], **same)
        for a, b in zip(
            first["outputs"][0]["coefficients"], other["outputs"][0]["coefficients"], strict=True
        ):
            assert a[0] == b[0]
            assert a[1] == pytest.approx(b[1], **same)
        for name, score in first["scores"].items():
            assert other["scores"][name] == pytest.approx(score, **same), name


def test_the_scikit_learn_folds_are_really_those():
    folds = fold_ids(600, 5)
    for k, (_, held) in enumerate(KFold(5, shuffle=True, random_state=0).split(np.zeros(600))):
        assert (folds[held] == k).all()
