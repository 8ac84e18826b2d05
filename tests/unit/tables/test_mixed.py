"""Mixed moments equal those of the rows they stand for, in any split and any order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import DataError, InputError
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.mixed import MixedMoments, capped, empty, merge_mixed, reshift_mixed
from elltwo.tables.moments.transform import assemble
from scale_problems import MixedTable, gathered, mixed_table


def explicit_gram(table: MixedTable, m: MixedMoments, chosen: np.ndarray) -> np.ndarray:
    """Σ w u uᵀ with u built row by row, in the layout of m."""
    numbers = table.numbers[chosen]
    w = np.ones(len(numbers)) if table.weights is None else table.weights[chosen]
    parts = [
        np.ones((len(numbers), 1)),
        np.nan_to_num(numbers - m.shift),
        np.isnan(numbers[:, list(m.flagged)]),
    ]
    for category, levels in zip(table.categories, m.levels, strict=True):
        values = category[chosen]
        known = np.column_stack([[v == label for v in values] for label in levels.labels])
        parts += [~known.any(axis=1, keepdims=True), known]
    u = np.hstack(parts).astype(float)
    return (u * w[:, None]).T @ u


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block", [1000, 97, 13])
def test_every_fold_equals_the_gram_of_explicit_one_hot_rows(weighted, block):
    table = mixed_table(weighted=weighted)
    m = gathered(table, block=block)
    for k in range(m.folds):
        expected = explicit_gram(table, m, table.folds == k)
        np.testing.assert_allclose(assemble(m, [k]), expected, rtol=1e-12, atol=1e-11)
    np.testing.assert_array_equal(m.rows, np.bincount(table.folds))


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 400), min_size=1, max_size=5), seed=st.integers(0, 9), weighted=st.booleans()
)
def test_any_split_merged_in_any_order_gives_the_same_moments(cuts, seed, weighted):
    table = mixed_table(seed=seed, weighted=weighted)
    edges = sorted({0, *cuts, 400})
    parts = [gathered(table, slice(a, b), folds=4) for a, b in itertools.pairwise(edges)]
    np.random.default_rng(seed).shuffle(parts)
    m = empty(table.names, ("c0", "c1"), 4)
    for part in parts:
        m = merge_mixed(m, part)
    for k in range(4):
        expected = explicit_gram(table, m, table.folds == k)
        np.testing.assert_allclose(assemble(m, [k]), expected, rtol=1e-11, atol=1e-11)


def test_moments_of_no_rows_change_nothing_from_either_side():
    m = gathered(mixed_table())
    nothing = empty(m.numeric, m.categories, m.folds)
    for merged in (merge_mixed(m, nothing), merge_mixed(nothing, m)):
        np.testing.assert_array_equal(merged.dense, m.dense)
        np.testing.assert_array_equal(merged.rows, m.rows)
        assert merged.levels == m.levels


@pytest.mark.parametrize("drift", [False, True])
def test_offsets_of_1e8_cost_no_digits_when_forty_parts_are_merged(drift):
    rng = np.random.default_rng(0)
    X = (
        rng.integers(-(2**20), 2**20, (4000, 3)) / 2.0**21
        + np.where(drift, np.arange(4000) // 100 / 8.0, 0.0)[:, None]
    )
    parts = []
    for start in range(0, 4000, 100):
        g = Gatherer(("a", "b", "c"))
        g.add(X[start : start + 100] + 2.0**27)  # exact: X has 21 fractional bits
        parts.append(g.result())
    while len(parts) > 1:
        parts = [
            merge_mixed(*pair) if len(pair) == 2 else pair[0]
            for pair in (parts[i : i + 2] for i in range(0, len(parts), 2))
        ]
    G = parts[0].dense[0]
    centred = G[1:, 1:] - np.outer(G[1:, 0], G[1:, 0]) / G[0, 0]
    exact = (X - X.mean(axis=0)).T @ (X - X.mean(axis=0))
    assert np.abs(centred - exact).max() / np.abs(exact).max() < 1e-14


def test_reshifting_keeps_missing_values_at_zero():
    table = mixed_table(missing=0.3)
    m = gathered(table)
    moved = reshift_mixed(m, m.shift + np.arange(m.shift.size) - 1.5)
    np.testing.assert_allclose(
        assemble(moved, [1]), explicit_gram(table, moved, table.folds == 1), rtol=1e-11, atol=1e-10
    )


def test_a_column_empty_in_the_first_block_takes_its_shift_from_the_first_value():
    g = Gatherer(("a",))
    g.add(np.full((5, 1), np.nan))
    g.add(np.full((5, 1), 1e9 + 0.5))
    assert g.result().shift[0] == 1e9 + 0.5
    np.testing.assert_array_equal(g.result().dense[0], [[10, 0, 5], [0, 0, 0], [5, 0, 5]])


def test_a_constant_column_has_exactly_no_spread():
    g = Gatherer(("a",))
    g.add(np.full((1000, 1), 0.1))
    assert g.result().dense[0, 1, 1] == 0.0


def test_the_most_frequent_levels_survive_the_cap_and_the_rest_is_other():
    rng = np.random.default_rng(1)
    labels = np.array([f"v{min(int(z), 400)}" for z in rng.zipf(1.3, 3000)], dtype=object)
    table = MixedTable(rng.standard_normal((3000, 2)), (labels,), rng.integers(0, 2, 3000), None)
    m = capped(gathered(table, cap=10))
    names, counts = np.unique(labels.astype(str), return_counts=True)
    top = set(names[np.argsort(-counts)[:5]])
    assert top <= set(m.levels[0].labels)
    assert len(m.levels[0].labels) == 10
    for k in range(2):
        np.testing.assert_allclose(
            assemble(m, [k]), explicit_gram(table, m, table.folds == k), rtol=1e-11, atol=1e-10
        )


def test_a_level_folded_in_one_part_is_folded_in_the_merged_whole():
    rng = np.random.default_rng(2)
    labels = np.array([f"v{i}" for i in rng.integers(0, 60, 2000)], dtype=object)
    table = MixedTable(rng.standard_normal((2000, 1)), (labels,), np.zeros(2000, dtype=int), None)
    parts = [gathered(table, slice(a, a + 500), cap=20, folds=1) for a in range(0, 2000, 500)]
    m = parts[0]
    for part in parts[1:]:
        m = merge_mixed(m, part)
    np.testing.assert_allclose(assemble(m), explicit_gram(table, m, table.folds == 0), rtol=1e-11, atol=1e-10)


def test_an_identifier_is_refused_with_the_flag_that_drops_it(monkeypatch):
    monkeypatch.setattr("elltwo.tables.moments.levels.MAX_FOLDED", 100)
    labels = np.array([f"id{i}" for i in range(1000)], dtype=object)
    table = MixedTable(np.zeros((1000, 1)), (labels,), np.zeros(1000, dtype=int), None)
    with pytest.raises(DataError, match="--drop c0"):
        gathered(table, cap=10)


def test_infinite_and_overflowing_numbers_are_named():
    g = Gatherer(("a", "b"))
    with pytest.raises(DataError, match=r"'b' has 1 infinite"):
        g.add(np.array([[1.0, 2.0], [3.0, -np.inf]]))
    with pytest.raises(InputError, match="'a' reaches 1e\\+200"):
        Gatherer(("a",)).add(np.array([[1e200], [-1e200]]))


def test_different_columns_are_refused_by_name():
    with pytest.raises(DataError, match="only the second has number 'z'"):
        merge_mixed(empty(("x", "y"), (), 1), empty(("x", "z"), (), 1))
    with pytest.raises(DataError, match="different folds: 2 and 3"):
        merge_mixed(empty(("x",), (), 2), empty(("x",), (), 3))
