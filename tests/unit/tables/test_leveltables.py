"""Sums by level and contingency tables, against sums over one-hot rows."""

from __future__ import annotations

import numpy as np
import pytest

from elltwo.tables.moments.leveltables import LevelTables, add_rows, grown


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_are_added_to_their_slots_in_place(weighted):
    rng = np.random.default_rng(0)
    rows, slots, start = rng.standard_normal((500, 7)), rng.integers(0, 11, 500), rng.standard_normal((11, 7))
    weights = rng.random(500) if weighted else None
    sums, expected = start.copy(), start.copy()
    add_rows(sums, slots, rows, weights)
    np.add.at(expected, slots, rows if weights is None else rows * weights[:, None])
    np.testing.assert_allclose(sums, expected, rtol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_tables_are_the_gram_matrix_of_one_hot_rows_whatever_the_order_of_growth(weighted):
    rng = np.random.default_rng(1)
    tables, labels = LevelTables(["a", "b"], 2, 1000, 3), [[f"l{i}" for i in range(40)]] * 2
    expected = {"sums": 0.0, "cross": 0.0}
    for size in (3, 7, 40):  # dictionaries grow with the blocks
        codes, folds = [rng.integers(-1, size, 300) for _ in range(2)], rng.integers(0, 2, 300)
        root = np.sqrt(rng.random(300)) if weighted else None
        order = np.argsort(folds, kind="stable")
        v = rng.standard_normal((3, 300)) * (1.0 if root is None else root)
        tables.add(codes, labels, order, folds[order], v, root)
        w = np.ones(300) if root is None else root
        hot = [np.eye(41)[code[order]] for code in codes]  # the last column is the missing value
        fold = np.eye(2)[folds[order]]
        expected["sums"] += np.einsum("i,ik,il,di->kld", w, fold, hot[0], v)
        expected["cross"] += np.einsum("i,ik,il,im->klm", w * w, fold, *hot)
    levels, sums, cross = tables.result()
    at = [[0, *(40 if x is None else int(x[1:]) for x in level.labels)] for level in levels]
    np.testing.assert_allclose(sums[0][:, 1:], expected["sums"][:, at[0][1:]], atol=1e-12)
    found = cross[0, 1][:, 1:, 1:]
    np.testing.assert_allclose(found, expected["cross"][:, at[0][1:]][:, :, at[1][1:]], atol=1e-12)
    assert not cross[0, 1][:, 0].any()  # nothing in "other"


def test_growth_keeps_what_is_there():
    table = np.arange(12.0).reshape(1, 3, 4)
    assert grown(table, (1, 2, 4), 8) is table
    wide = grown(table, (1, 4, 4), 8)
    assert wide.shape == (1, 6, 4)
    np.testing.assert_array_equal(wide[:, :3], table)
    assert not wide[:, 3:].any()
