"""A fit from moments equals refits on rows: every fold, every λ, every target, from every kind of source."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from elltwo.errors import DataError, UsageError
from elltwo.scale.commands import fit_moments, moments_from
from elltwo.tables.encode import design
from elltwo.tables.folds import row_folds
from elltwo.tables.moments.recipe import Recipe
from scale_files import frame

ALPHAS = np.geomspace(1e-3, 1e4, 9)


def numbers(n=700, seed=3, missing=0.0):
    return frame(n, seed, missing).drop(columns=["c", "e"])


def refit_errors(table, folds, alphas, weights=None, target="y", scaled=False):
    """(L,) mean squared held-out error by refitting on rows with an SVD, fold by fold and λ by λ."""
    X, y = table.drop(columns=[target]).to_numpy(), table[target].to_numpy()
    w = np.ones(len(y)) if weights is None else weights
    sums = np.zeros(len(alphas))
    for k in np.unique(folds):
        train, held = folds != k, folds == k
        for i, alpha in enumerate(alphas):
            model = Ridge(alpha, solver="svd")
            Z = X
            if scaled:
                scaler = StandardScaler().fit(X[train], sample_weight=w[train])
                Z = scaler.transform(X)
            model.fit(Z[train], y[train], sample_weight=w[train])
            sums[i] += w[held] @ (y[held] - model.predict(Z[held])) ** 2
    return sums / w.sum()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "frame"])
@pytest.mark.parametrize("standardize", [False, True])
def test_every_source_gives_the_row_wise_errors_to_1e_12(tmp_path, suffix, standardize):
    table = numbers()
    source = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        table.to_parquet(source, row_group_size=128)
    elif suffix == "csv":
        table.to_csv(source, index=False, float_format="%.17g")
    else:
        source = table
    fit = fit_moments(source, "y", alphas=ALPHAS, seed=5, standardize=standardize)
    folds = np.empty(700, dtype=int)
    for k, (_, held) in enumerate(KFold(5, shuffle=True, random_state=5).split(table)):
        folds[held] = k
    expected = refit_errors(table, folds, ALPHAS, scaled=standardize)
    np.testing.assert_allclose(fit.selection.curves["kfold"].score[:, 0], expected, rtol=1e-12)
    chosen = ALPHAS[np.argmin(expected)]
    assert fit.solution.alpha[0] == chosen
    if not standardize:
        reference = Ridge(chosen, solver="svd").fit(table.drop(columns=["y"]).to_numpy(), table.y)
        error = np.linalg.norm(fit.coef[:, 0] - reference.coef_) / np.linalg.norm(reference.coef_)
        assert error < 1e-12
        assert fit.intercept[0] == pytest.approx(reference.intercept_, rel=1e-12)


def test_weights_give_the_weighted_refits():
    table = numbers()
    w = np.random.default_rng(0).uniform(0.2, 3.0, len(table))
    fit = fit_moments(table.assign(w=w), "y", alphas=ALPHAS, weights="w")
    folds = np.empty(700, dtype=int)
    for k, (_, held) in enumerate(KFold(5, shuffle=True, random_state=0).split(table)):
        folds[held] = k
    np.testing.assert_allclose(
        fit.selection.curves["kfold"].score[:, 0], refit_errors(table, folds, ALPHAS, w), rtol=1e-12
    )


def test_missing_values_and_categories_equal_the_pipeline_refitted_in_every_fold(tmp_path):
    table = frame(900)
    table.to_parquet(tmp_path / "t.parquet", row_group_size=200)
    few = ALPHAS[::4]
    fit = fit_moments(tmp_path / "t.parquet", "y", alphas=few)
    number = make_pipeline(SimpleImputer(add_indicator=True))
    category = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="~missing"), OneHotEncoder(handle_unknown="ignore")
    )
    prepare = ColumnTransformer([("n", number, ["x0", "x1", "x2", "x3"]), ("c", category, ["c", "e"])])
    rows = table.astype({"c": object, "e": object}).where(table.notna(), np.nan)
    folds = KFold(5, shuffle=True, random_state=0)
    for alpha, score in zip(few, fit.selection.curves["kfold"].score[:, 0], strict=True):
        model = make_pipeline(prepare, Ridge(alpha, solver="svd"))
        held_out = cross_val_predict(model, rows.drop(columns=["y"]), table.y, cv=folds)
        assert score == pytest.approx(np.mean((table.y - held_out) ** 2), rel=1e-10)


def test_the_settled_plan_predicts_what_the_moments_learnt(tmp_path):
    table = frame(900)
    table.to_parquet(tmp_path / "t.parquet", row_group_size=200)
    fit = fit_moments(tmp_path / "t.parquet", "y")
    assert fit.names == fit.plan.feature_names
    X = design(table, fit.plan).X
    residual = table.y.to_numpy() - X @ fit.coef[:, 0] - fit.intercept[0]
    assert fit.solution.rss[0] == pytest.approx(residual @ residual, rel=1e-10)
    np.testing.assert_allclose(fit.means, X.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(fit.scales, X.std(axis=0), rtol=1e-10)


def test_any_number_may_be_the_target_and_several_may_be_in_turn(tmp_path):
    table = numbers()
    moments = moments_from(table, None)
    for target in ("y", "x2"):
        fit = fit_moments(moments, target, alphas=ALPHAS)
        assert set(fit.names) == set(table.columns) - {target}
        alone = fit_moments(table, target, alphas=ALPHAS)
        np.testing.assert_allclose(
            fit.selection.curves["kfold"].score, alone.selection.curves["kfold"].score, rtol=1e-12
        )
    both = fit_moments(moments, ["y", "x2"], alphas=ALPHAS)
    single = fit_moments(moments, "y", alphas=ALPHAS, drop=["x2"])
    np.testing.assert_allclose(
        both.selection.curves["kfold"].score[:, 0], single.selection.curves["kfold"].score[:, 0], rtol=1e-12
    )


def test_rows_without_a_target_are_left_out_and_counted():
    table = numbers()
    holes = table.copy()
    holes.loc[::7, "y"] = np.nan
    fit = fit_moments(holes, "y", alpha=2.0)
    reference = Ridge(2.0, solver="svd").fit(*split_xy(holes.dropna()))
    np.testing.assert_allclose(fit.coef[:, 0], reference.coef_, rtol=1e-11)
    assert (fit.rows, fit.left_out) == (600, 100)
    assert any("100 rows were left out" in note for note in fit.notes)
    with pytest.raises(DataError, match="--target y"):
        fit_moments(moments_from(holes, None), "y")


def split_xy(table):
    return table.drop(columns=["y"]).to_numpy(), table["y"].to_numpy()


def test_groups_stay_together_and_fold_columns_are_obeyed(tmp_path):
    table = numbers()
    table["site"] = np.arange(700) // 10
    table["part"] = np.random.default_rng(1).integers(1, 4, 700)
    table.to_csv(tmp_path / "t.csv", index=False, float_format="%.17g")
    given = fit_moments(tmp_path / "t.csv", "y", alphas=ALPHAS, fold_column="part", drop=["site"])
    plain = table.drop(columns=["site", "part"])
    np.testing.assert_allclose(
        given.selection.curves["kfold"].score[:, 0],
        refit_errors(plain, table.part.to_numpy(), ALPHAS),
        rtol=1e-12,
    )
    m = moments_from(tmp_path / "t.csv", "y", group="site", drop=["part"]).total()
    assert (m.rows % 10 == 0).all()
    assert m.count == 700


def test_contiguous_folds_are_ranges_of_time(tmp_path):
    table = numbers()
    fit = fit_moments(table, "y", alphas=ALPHAS, contiguous=True)
    folds = np.repeat(np.arange(5), 140)
    np.testing.assert_allclose(
        fit.selection.curves["kfold"].score[:, 0], refit_errors(table, folds, ALPHAS), rtol=1e-12
    )


def test_hash_folds_do_not_depend_on_how_the_file_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("elltwo.tables.moments.foldrule.BALANCED_BELOW", 0)
    table = numbers()
    scores = []
    for size in (700, 64):
        table.to_parquet(tmp_path / f"{size}.parquet", row_group_size=size)
        fit = fit_moments(tmp_path / f"{size}.parquet", "y", alphas=ALPHAS, seed=9)
        scores.append(fit.selection.curves["kfold"].score[:, 0])
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-12)
    np.testing.assert_allclose(scores[0], refit_errors(table, row_folds(0, 700, 5, 9), ALPHAS), rtol=1e-12)


def test_several_files_number_their_rows_through(tmp_path):
    table = numbers()
    for suffix in ("parquet", "csv"):
        folder = tmp_path / suffix
        folder.mkdir()
        for i in range(4):
            piece = table[175 * i : 175 * (i + 1)]
            if suffix == "csv":
                piece.to_csv(folder / f"{i}.csv", index=False, float_format="%.17g")
            else:
                piece.to_parquet(folder / f"{i}.parquet")
        many, one = fit_moments(folder, "y", alphas=ALPHAS), fit_moments(table, "y", alphas=ALPHAS)
        np.testing.assert_allclose(
            many.selection.curves["kfold"].score, one.selection.curves["kfold"].score, rtol=1e-12
        )


def test_whole_and_broken_numbers_mix_but_text_and_numbers_do_not(tmp_path):
    a, b = (
        pd.DataFrame({"x": [1, 2, 3, 4], "y": [1.0, 2, 1, 2]}),
        pd.DataFrame({"x": [1.5, 2.5], "y": [3.0, 4.0]}),
    )
    a.to_parquet(tmp_path / "a.parquet")
    b.to_parquet(tmp_path / "b.parquet")
    assert moments_from(tmp_path, "y", folds=2).total().count == 6
    pd.DataFrame({"x": ["u", "v"], "y": [3.0, 4.0]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"column 'x' .*a\.parquet.*c\.parquet"):
        moments_from(tmp_path, "y", folds=2)


def test_rules_that_need_rows_say_which_do_not():
    with pytest.raises(UsageError, match="gcv"):
        fit_moments(numbers(), "y", rule="ncp")
    fit = fit_moments(numbers(), "y", rule="gcv", folds=1)
    assert fit.folds is None
    assert fit.selection.rule == "gcv"


def test_a_recipe_changes_preprocessing_without_another_pass():
    moments = moments_from(frame(500), "y")
    zero = fit_moments(moments, "y", recipe=Recipe(impute=0.0, indicators=False), alpha=1.0)
    X = frame(500).drop(columns=["y", "c", "e"]).fillna(0.0).to_numpy()
    np.testing.assert_allclose(zero.means[:4], X.mean(axis=0), rtol=1e-12)
    assert "x1 missing" not in zero.names


def test_a_near_singular_design_is_told_how_many_digits_are_left():
    table = numbers()
    table["x4"] = table.x0 + 1e-6 * table.x1
    fit = fit_moments(table, "y", alpha=0.0)
    assert any("--solver qr" in note for note in fit.notes)


RECIPES = {
    "constant": Recipe(impute=0.0),
    "no indicators": Recipe(indicators=False),
    "reference": Recipe(reference="first"),
    "no missing level": Recipe(missing_level="zeros"),
    "commonest level": Recipe(missing_level="mode"),
    "constants by column": Recipe(imputes={"x1": 3.0, "x0": "mean"}),
    "every level a column": Recipe(reference="none", indicators=False),
    "relative to the commonest": Recipe(reference="first", missing_level="mode", max_levels=2),
    "rare levels together": Recipe(min_count=120),
    "few levels": Recipe(max_levels=2),
    "a column less": Recipe(drop=("x1", "e")),
    "scaled numbers": Recipe(standardize="numbers"),
    "scaled columns": Recipe(standardize="all"),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_predictions_follow_the_recipe(recipe):
    table = frame(600)
    fit = fit_moments(table, "y", alpha=1.0, recipe=recipe)
    found = fit.predict(table)[:, 0]
    residual = table.y.to_numpy() - found
    assert fit.solution.rss[0] == pytest.approx(residual @ residual, rel=1e-10)
    assert fit.names == fit.plan.feature_names
    if recipe.standardize == "none":  # the plan, which model files keep, says the same without the recipe
        X = design(table, fit.plan).X
        np.testing.assert_allclose(X @ fit.coef[:, 0] + fit.intercept[0], found, rtol=1e-10)


def test_levels_merged_after_the_pass_are_predicted_as_one():
    table = frame(600)
    first, second = sorted(table.c.dropna().unique())[:2]
    fit = fit_moments(table, "y", alpha=1.0, recipe=Recipe(merge={"c": {first: second}}))
    swapped = table.assign(c=table.c.astype(object).replace({first: second}))
    np.testing.assert_allclose(fit.predict(table), fit.predict(swapped), rtol=1e-12)


def test_levels_may_join_a_new_one_step_by_step():
    table, recipe = frame(600), Recipe(merge={"c": {"lvl": "north", "north": "all"}})
    assert recipe.joins("c") == {"lvl": "all", "north": "all"}
    first, second = sorted(table.c.dropna().unique())[:2]
    fit = fit_moments(table, "y", alpha=1.0, recipe=Recipe(merge={"c": {first: "both", second: "both"}}))
    assert "c=both" in fit.names
    renamed = table.assign(c=table.c.astype(object).replace({first: "both", second: "both"}))
    np.testing.assert_allclose(fit.predict(renamed), fit.predict(table), rtol=1e-12)
    again = fit_moments(renamed, "y", alpha=1.0)
    np.testing.assert_allclose(again.coef, fit.coef[[fit.names.index(n) for n in again.names]], rtol=1e-9)


@pytest.mark.parametrize("cap", [1000, 4])
def test_new_levels_and_new_gaps_are_predicted_as_the_plan_encodes_them(cap):
    table = frame(600).assign(g=np.arange(600) % 11)
    table["g"] = "g" + table.g.astype(str)
    fit = fit_moments(table, "y", alpha=1.0, max_levels=cap)
    new = frame(50, seed=9).assign(g=["g3", "unheard", None, "g10", "g7"] * 10)
    new.loc[3, "x0"] = np.nan
    new["c"] = new.c.astype(object).where(new.index % 7 > 0, "never seen")
    X = design(new, fit.plan, fit=False).X
    np.testing.assert_allclose(fit.predict(new), X @ fit.coef + fit.intercept, rtol=1e-9, atol=1e-12)


def test_the_plan_of_a_frame_says_once_that_missing_values_are_flagged():
    fit = fit_moments(frame(300, missing=0.1), "y")
    assert {c.reason.count("missing ones flagged") for c in fit.plan.columns if c.missing} == {1}
