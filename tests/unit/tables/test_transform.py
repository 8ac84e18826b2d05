"""Preprocessing after the pass equals scikit-learn's Pipeline refitted on the rows of each training fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from elltwo.errors import DataError, UsageError
from elltwo.factoring.gram import factor_moments
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Penalty
from elltwo.tables.moments.dense import about
from elltwo.tables.moments.design import design_map
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.recipe import Recipe, Source
from elltwo.tables.moments.transform import assemble, fold_design, mapped, target_positions
from scale_problems import MixedTable, gathered, mixed_table

ALPHA = 0.7


def sources_of(m: MixedMoments, leave: tuple[str, ...]) -> tuple[Source, ...]:
    """One source per stored column, numbers first, except those to ``leave`` out."""
    numbers = [Source(n, (j,)) for j, n in enumerate(m.numeric) if n not in leave]
    return (*numbers, *(Source(n, (), c) for c, n in enumerate(m.categories) if n not in leave))


def coefficients(train: DesignMoments) -> np.ndarray:
    r = factor_moments(train, Penalty())
    s = r.spectrum.s
    return (r.spectrum.map @ (s[:, None] * r.z / (s[:, None] ** 2 + ALPHA)))[:, 0]


def pipeline(numeric: Pipeline, encoder: OneHotEncoder, d: int, missing: str) -> Pipeline:
    impute = {
        "column": [SimpleImputer(strategy="constant", fill_value="~missing")],
        "mode": [SimpleImputer(strategy="most_frequent")],
    }
    steps = ColumnTransformer(
        [("n", numeric, list(range(d))), ("c", make_pipeline(*impute[missing], encoder), [d, d + 1])],
        sparse_threshold=0,
    )
    return make_pipeline(steps, Ridge(ALPHA, solver="svd"))


CASES = {
    "mean, indicators, full one-hot": (
        Recipe(),
        make_pipeline(SimpleImputer(add_indicator=True)),
        OneHotEncoder(handle_unknown="ignore"),
        "column",
    ),
    "constant, no indicators, reference level": (
        Recipe(impute=1.5, indicators=False, reference="first"),
        make_pipeline(SimpleImputer(strategy="constant", fill_value=1.5)),
        OneHotEncoder(drop="first"),
        "column",
    ),
    "standardized numbers, most frequent level": (
        Recipe(standardize="numbers", indicators=False, missing_level="mode"),
        make_pipeline(SimpleImputer(), StandardScaler()),
        OneHotEncoder(),
        "mode",
    ),
}


# with weights only the constant: scikit-learn's SimpleImputer takes none for its means
@pytest.mark.parametrize(
    ("case", "weighted"), [*((c, False) for c in CASES), ("constant, no indicators, reference level", True)]
)
def test_each_training_fold_equals_the_pipeline_refitted_on_its_rows(case, weighted):
    recipe, numeric, encoder, missing = CASES[case]
    table = mixed_table(n=500, weighted=weighted)
    m = gathered(table)
    rows = as_pipeline_wants(table)
    for k in range(m.folds):
        train, held = table.folds != k, table.folds == k
        model = pipeline(numeric, encoder, 4, missing)
        weights = {} if table.weights is None else {"ridge__sample_weight": table.weights[train]}
        model.fit(rows[train], table.numbers[train, -1], **weights)
        fold = fold_design(m, k, recipe, sources_of(m, ("y",)), target_positions(m, ("y",)))
        coef = coefficients(fold.train)
        np.testing.assert_allclose(np.sort(coef), np.sort(model[-1].coef_), rtol=1e-10, atol=1e-10)
        errors = (table.numbers[held, -1] - model.predict(rows[held])) ** 2
        assert held_out_error(fold.held, fold.train, coef) == pytest.approx(
            errors.sum() if table.weights is None else errors @ table.weights[held], rel=1e-10
        )


def as_pipeline_wants(table: MixedTable) -> np.ndarray:
    """One object array; missing categories as NaN, which SimpleImputer recognises."""
    out = np.empty((len(table.folds), 6), dtype=object)
    out[:, :4] = table.numbers[:, :4]
    for j, labels in enumerate(table.categories):
        out[:, 4 + j] = [np.nan if v is None else v for v in labels]
    return out


def held_out_error(held: DesignMoments, train: DesignMoments, coef: np.ndarray) -> float:
    """Σ w (y − ȳ − (x − x̄)β)² over held-out rows, means of the training rows."""
    c = about(held, train.mean_x, train.mean_y)
    return float(c.yy[0] - 2 * c.xy[:, 0] @ coef + coef @ c.xx @ coef)


def test_a_level_that_training_never_saw_predicts_like_handle_unknown_ignore():
    table = mixed_table(n=60, levels=(25, 2), missing=0.0)
    m = gathered(table)
    for k in range(m.folds):
        seen = set(table.categories[0][table.folds != k])
        fold = fold_design(m, k, Recipe(), sources_of(m, ("y",)), target_positions(m, ("y",)))
        dead = {
            f.level
            for f, live in zip(fold.design.features, fold.design.live, strict=True)
            if not live and f.source == "c0"
        }
        assert dead == set(m.levels[0].labels) - seen


def test_merged_rare_and_capped_levels_share_columns():
    table = mixed_table(n=500, missing=0.0)
    m = gathered(table)
    counts = {
        label: float(w) for label, w in zip(m.levels[1].labels, m.sums[1][:, 1:, 0].sum(axis=0), strict=True)
    }
    G, sources = assemble(m), sources_of(m, ("y",))
    merged = design_map(m, G, Recipe(merge={"c0": {"level0": "level1"}}), sources)
    assert [f.name for f in merged.features if f.source == "c0"] == ["c0=level1", "c0=level2"]
    rare = sorted(counts, key=lambda n: (-counts[n], n))
    design = design_map(m, G, Recipe(max_levels=2), sources)
    kept = {
        f.level
        for f, live in zip(design.features, design.live, strict=True)
        if live and f.role == "level" and f.source == "c1"
    }
    assert kept == set(rare[:2])
    moments = mapped(m, G, m.count, design, [4], design.live)
    other = [f.name for f, live in zip(design.features, design.live, strict=True) if live].index("c1=(other)")
    assert moments.first_x[other] == pytest.approx(sum(counts[n] for n in rare[2:]))


def test_dropped_columns_leave_no_trace():
    m = gathered(mixed_table())
    design = design_map(m, assemble(m), Recipe(drop=("x1", "c0")), sources_of(m, ("y",)))
    assert {f.source for f in design.features} == {"x0", "x2", "x3", "c1"}


def test_any_number_may_be_the_target_and_a_holey_one_says_what_to_do():
    m = gathered(mixed_table())
    assert target_positions(m, ["x0", "y"]) == [0, 4]
    with pytest.raises(DataError, match="--target x1"):
        target_positions(m, ["x1"])
    with pytest.raises(DataError, match="is a category"):
        target_positions(m, ["c0"])
    with pytest.raises(DataError, match="no column 'nope'"):
        target_positions(m, ["nope"])


def test_unknown_steps_are_refused():
    with pytest.raises(UsageError, match="'none', 'numbers', 'all'"):
        Recipe(standardize="yes")
    with pytest.raises(UsageError, match="'mean' or a number"):
        Recipe(impute="median")
