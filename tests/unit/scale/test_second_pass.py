"""What needs rows comes from a second pass, announced, and equals the fit in memory and refits without each row."""

from __future__ import annotations

import os

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from elltwo.errors import DataError, UsageError
from elltwo.factoring.choose import factor
from elltwo.facts.problem import Penalty, Problem
from elltwo.scale.commands import fit_moments, moments_from
from elltwo.scale.fits.leaving import Seen
from elltwo.scale.passes.looking import SAMPLE, STRONGEST, RowMap, leaf_looked, merge_looked
from elltwo.scale.passes.running import Engine, run_source
from elltwo.selecting.loo import leverages, loo, loo_residuals
from elltwo.selecting.registry import Evidence
from elltwo.selecting.select import select
from elltwo.shrinking.path import shrink
from elltwo.tables.encode import design
from elltwo.tables.moments.design import design_map
from elltwo.tables.moments.planned import plan_sources
from elltwo.tables.moments.recipe import Recipe
from elltwo.tables.moments.transform import assemble
from scale_files import frame


def rows_file(folder, n=900, **more):
    table = frame(n, 3, 0.05).assign(**more)
    table.loc[::40, "y"] = np.nan
    table["x1"] += 1e6
    path = folder / "t.parquet"
    table.to_parquet(path, row_group_size=128)
    return table, path


def in_memory(table, fit, **penalty):
    """The same problem on rows, encoded by the settled plan."""
    made = design(table, fit.plan)
    return made, factor(Problem(made.X, made.y[:, None], made.weights, True, Penalty(**penalty)))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_leave_one_out_of_a_stream_is_that_of_memory(tmp_path, standardize, weighted):
    w = np.random.default_rng(1).uniform(0.2, 3, 900) * (np.arange(900) % 31 != 0)
    table, path = rows_file(tmp_path, **({"w": w} if weighted else {}))
    options = {"weights": "w"} if weighted else {}
    fit = fit_moments(path, "y", rule="loo", standardize=standardize, **options)
    made, rotated = in_memory(table, fit, standardize=standardize)
    expected = select(rotated, "loo")
    assert (fit.selection.rule, fit.selection.edge) == ("loo", expected.edge)
    np.testing.assert_allclose(fit.selection.alpha, expected.alpha, rtol=1e-9)
    for what in ("alphas", "score", "error"):
        found, there = (getattr(s.curves["loo"], what) for s in (fit.selection, expected))
        np.testing.assert_allclose(found, there, rtol=1e-9)
    at = np.searchsorted(made.rows, fit.looked.number)
    assert (made.rows[at] == fit.looked.number).all()
    assert at.size == made.rows.size
    np.testing.assert_allclose(
        fit.looked.leverage[:, 0], leverages(rotated, expected.alpha[0])[at], atol=1e-9
    )
    np.testing.assert_allclose(
        fit.looked.left_out, loo_residuals(rotated, expected.alpha)[at], atol=1e-9, rtol=1e-9
    )
    solution = shrink(rotated, expected.alpha)
    fitted = made.X[at] @ solution.coef + solution.intercept
    positive = np.ones(at.size, dtype=bool) if made.weights is None else made.weights[at] > 0
    np.testing.assert_allclose(fit.looked.fitted[positive], fitted[positive], rtol=1e-9, atol=1e-9)


def test_it_is_the_error_of_refits_without_each_row(tmp_path):
    table = frame(60, 3, 0.0).drop(columns=["c", "e"])
    table.to_csv(tmp_path / "t.csv", index=False, float_format="%.17g")
    alphas = np.array([0.01, 3.0, 200.0])
    fit = fit_moments(tmp_path / "t.csv", "y", rule="loo", alphas=alphas)
    X, y = table.drop(columns="y").to_numpy(), table.y.to_numpy()
    squares = np.zeros(3)
    for i in range(60):
        rest = np.arange(60) != i
        for a, alpha in enumerate(alphas):
            model = Ridge(alpha, solver="svd").fit(X[rest], y[rest])
            squares[a] += (y[i] - model.predict(X[i : i + 1])[0]) ** 2
    np.testing.assert_allclose(fit.selection.curves["loo"].score[:, 0], squares / 60, rtol=1e-9)


@pytest.mark.parametrize("how", [{"threads": 3}, {"workers": 2}])
def test_threads_and_processes_give_the_same_bits(tmp_path, how):
    if "workers" in how:
        pytest.importorskip("distributed")
    _, path = rows_file(tmp_path)
    alone, together = (fit_moments(path, "y", rule="loo", **each) for each in ({}, how))
    assert (alone.selection.curves["loo"].score == together.selection.curves["loo"].score).all()
    assert (alone.looked.number == together.looked.number).all()
    assert (alone.looked.left_out == together.looked.left_out).all()


def test_a_pass_is_announced_with_what_it_is_for_and_only_made_where_it_is_asked_for(tmp_path):
    _, path = rows_file(tmp_path)
    for options, passes, what in (
        ({}, 0, ""),
        ({"rule": "gcv"}, 0, ""),
        ({"rule": "auto"}, 1, "a second pass over 877 rows for leave-one-out: about 1 s"),
        ({"rule": "auto", "alpha": 1.0}, 0, ""),
        ({"rule": "loo"}, 1, "a second pass over 877 rows for leave-one-out: about 1 s"),
        ({"second_pass": True}, 1, "a second pass over 877 rows for leverages and residuals: about 1 s"),
        ({"alpha": 2.0, "rule": "loo", "second_pass": True}, 1, "leverages and residuals"),
    ):
        said: list[str] = []
        fit = fit_moments(path, "y", say=said.append, **options)
        found = [line for line in said if "pass over" in line]
        assert len(found) == passes
        assert all(what in line for line in found)
        assert (fit.looked is not None) == bool(passes)


def test_columns_made_from_columns_are_seen_again_too(tmp_path):
    table, path = rows_file(tmp_path)
    fit = fit_moments(path, "y", rule="loo", features=["square:x0", "spline:x2:4"])
    assert fit.looked.number.size == 877
    made = design(table, fit.plan)
    predicted = fit.predict(table)[made.rows[np.searchsorted(made.rows, fit.looked.number)]]
    np.testing.assert_allclose(fit.looked.fitted, predicted, rtol=1e-9, atol=1e-9)


def test_a_file_that_changed_since_the_first_pass_is_refused_as_in_the_first(tmp_path):
    _, path = rows_file(tmp_path)
    ran = run_source(path, "y", Engine())

    def touched(looks):
        os.utime(path, ns=(1, 1))
        return Engine().looked(ran.job, looks)

    m = ran.moments.total()
    seen = Seen(row_map(m, ran), touched)
    with pytest.raises(DataError, match="has changed since the pass was planned"):
        seen.foresee(np.array([1.0]), np.array([1.0]))


def row_map(m, ran):
    from elltwo.factoring.gram import factor_moments
    from elltwo.scale.fitting import retarget
    from elltwo.tables.moments.planned import settle_plan
    from elltwo.tables.moments.transform import mapped, target_positions

    plan = settle_plan(m, retarget(ran.moments.plan, m, "y"))
    at = target_positions(m, ["y"])
    G = assemble(m)
    made = design_map(m, G, Recipe(), plan_sources(m, plan))
    whole = mapped(m, G, m.count, made, at, np.ones(len(made.features), dtype=bool))
    return RowMap.of(m, made, factor_moments(whole, Penalty()), at)


def test_a_strength_that_was_not_foreseen_costs_one_more_pass_and_is_as_exact(tmp_path):
    table, path = rows_file(tmp_path)
    ran, passes = run_source(path, "y", Engine()), []

    def sweep(looks):
        passes.append(looks)
        return Engine().looked(ran.job, looks)

    seen = Seen(row_map(ran.moments.total(), ran), sweep)
    seen.foresee(np.array([1.0, 2.0]), np.array([1.0]))
    _, rotated = in_memory(table, fit_moments(path, "y", alpha=1.0))
    asked = np.array([1.0, 7.0, np.inf])
    found = seen.scored(Evidence(seen.map.rotated), asked)
    np.testing.assert_allclose(found.score, loo(rotated, asked).mean, rtol=1e-9)
    assert len(passes) == 2
    assert passes[1][0].sample == 0


def test_what_is_kept_does_not_grow_with_the_rows_and_holds_the_strongest(tmp_path):
    table = frame(12_000, 5, 0.0).drop(columns=["c", "e"])
    table.loc[[17, 9_001], "x0"] = [40.0, -70.0]
    table.loc[8_123, "y"] = 500.0
    table.to_parquet(tmp_path / "t.parquet", row_group_size=1_000)
    fit = fit_moments(tmp_path / "t.parquet", "y", second_pass=True)
    looked = fit.looked
    assert looked.sampled.sum() == SAMPLE
    assert looked.number.size <= SAMPLE + 2 * STRONGEST
    _, rotated = in_memory(table, fit)
    h = leverages(rotated, fit.solution.alpha[0])
    assert set(np.argsort(-h)[:STRONGEST]) <= set(looked.number)
    assert {17, 9_001, 8_123} <= set(looked.number)
    sampled = looked.number[looked.sampled]
    assert abs(sampled.mean() / 12_000 - 0.5) < 0.02


def test_parts_of_a_look_merge_to_the_same_rows_in_any_cut(tmp_path):
    _, path = rows_file(tmp_path)
    ran = run_source(path, "y", Engine())
    looks = None

    def keep(given):
        nonlocal looks
        looks = given
        return Engine().looked(ran.job, given)

    Seen(row_map(ran.moments.total(), ran), keep).foresee(np.array([3.0]), np.array([3.0]))
    parts = [leaf_looked(ran.job, leaf, looks) for leaf in ran.job.leaves]
    [one], [other] = merge_looked(parts), merge_looked([merge_looked(parts[:3]), merge_looked(parts[3:])])
    assert (one.kept.number == other.kept.number).all()
    np.testing.assert_allclose(one.sums.square, other.sums.square, rtol=1e-14)


def test_moments_hold_no_rows_to_read_again(tmp_path):
    _, path = rows_file(tmp_path)
    moments = moments_from(path, "y")
    for options in ({"rule": "loo"}, {"second_pass": True}):
        with pytest.raises(UsageError, match="reads the rows a second time, and moments keep none"):
            fit_moments(moments, **options)


def test_a_prior_mean_is_refused_in_a_sentence(tmp_path):
    table = frame(60, 3, 0.0).drop(columns=["c", "e"])
    with pytest.raises(UsageError, match="no prior mean"):
        fit_moments(table, "y", rule="loo", penalty=Penalty(x0=np.ones((4, 1))))


@pytest.mark.parametrize("options", [{}, {"one_se": True}, {"standardize": True, "alphas": [0.1, 5.0, 80.0]}])
def test_the_honest_error_leaves_one_out_inside_every_fold(tmp_path, options):
    table, path = rows_file(tmp_path, fold=np.arange(900) % 3)
    found = fit_moments(path, "y", rule="loo", fold_column="fold", **options)
    squares, alphas = 0.0, []
    for k in range(3):
        rest = tmp_path / f"{k}.parquet"
        table[table.fold != k].drop(columns="fold").to_parquet(rest, row_group_size=100)
        inside = fit_moments(rest, "y", rule="loo", **options)
        held = table[(table.fold == k) & table.y.notna()]
        alphas.append(inside.solution.alpha)
        squares += np.sum((held.y.to_numpy() - inside.predict(held)[:, 0]) ** 2)
    np.testing.assert_allclose(found.honest.alphas, alphas, rtol=1e-7)
    assert found.honest.error[0] == pytest.approx(squares / found.rows, rel=1e-9)


def test_many_numbers_are_not_gone_over_once_more_for_every_fold(tmp_path, monkeypatch):
    _, path = rows_file(tmp_path)
    assert fit_moments(path, "y", rule="loo").honest is not None
    monkeypatch.setattr("elltwo.selecting.nested.FEW", 100)
    assert fit_moments(path, "y", rule="loo").honest is None
