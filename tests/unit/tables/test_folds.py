"""Folds: those of scikit-learn for small tables, a hash for large ones, whole groups, given labels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold

from elltwo.errors import DataError, UsageError
from elltwo.tables.folds import BALANCED_BELOW, fold_ids, group_keys, hash_folds, row_folds, splitmix64


def ids_of(n, splitter, groups=None):
    """Fold ids as scikit-learn's splitter makes them."""
    ids = np.empty(n, dtype=int)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(n), groups=groups)):
        ids[test] = fold
    return ids


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 300), k=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
def test_small_tables_have_the_folds_of_shuffled_kfold(n, k, seed):
    if k > n:
        with pytest.raises(DataError, match=f"{k} folds were asked for, and there are {n} rows"):
            fold_ids(n, k, seed=seed)
        return
    splitter = KFold(k, shuffle=True, random_state=seed)
    np.testing.assert_array_equal(fold_ids(n, k, seed=seed), ids_of(n, splitter))
    np.testing.assert_array_equal(fold_ids(n, k, contiguous=True), ids_of(n, KFold(k)))


@settings(max_examples=40, deadline=None)
@given(groups=st.lists(st.integers(0, 9), min_size=5, max_size=80), k=st.integers(2, 4))
def test_small_tables_have_the_folds_of_group_kfold(groups, k):
    groups = np.array(groups)
    if len(np.unique(groups)) < k:
        with pytest.raises(DataError, match=r"folds were asked for, and there are \d groups"):
            fold_ids(len(groups), k, groups=groups)
        return
    np.testing.assert_array_equal(
        fold_ids(len(groups), k, groups=groups), ids_of(len(groups), GroupKFold(k), groups)
    )


def test_splitmix64_is_the_published_generator():
    """The generator seeded with 1234567 gives these numbers (Vigna's splitmix64.c, as Rosetta Code records them)."""
    golden = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + i * golden) % 2**64 for i in range(5)], dtype=np.uint64)
    assert splitmix64(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_large_tables_have_hash_folds_that_do_not_depend_on_how_the_table_is_cut():
    n, k, seed = BALANCED_BELOW + 7, 5, 3
    whole = fold_ids(n, k, seed=seed)
    cuts = [0, 1, 17, 40_000, n]
    pieces = [row_folds(a, b - a, k, seed) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))
    sizes = np.bincount(whole, minlength=k)
    # Binomial(n, 1/k): six standard deviations.
    assert np.abs(sizes - n / k).max() < 6 * np.sqrt(n * (1 / k) * (1 - 1 / k))
    assert (fold_ids(n, k, seed=seed + 1) != whole).mean() == pytest.approx(1 - 1 / k, abs=0.02)
    # Neighbours fall independently: the table of (fold of i, fold of i + 1) is flat.
    pairs = np.bincount(whole[:-1] * k + whole[1:], minlength=k * k)
    assert np.abs(pairs - n / k**2).max() < 6 * np.sqrt(n / k**2)


def test_groups_of_large_tables_stay_together_and_follow_their_label_alone():
    n, k = BALANCED_BELOW, 4
    groups = np.random.default_rng(0).integers(0, 500, n).astype(str)
    folds = fold_ids(n, k, groups=groups)
    for label in ("0", "77", "499"):
        assert len(set(folds[groups == label])) == 1
        assert folds[groups == label][0] == hash_folds(group_keys([label]), k)[0]
    keys = group_keys(groups)
    np.testing.assert_array_equal(fold_ids(n, k, groups=keys), folds)
    with pytest.raises(DataError, match="left one empty: ask for fewer folds"):
        fold_ids(n, 4, groups=np.repeat(["a", "b", "c", "d"], n // 4), seed=_unlucky())


def _unlucky():
    """A seed that puts four groups into fewer than four folds."""
    keys = group_keys("abcd")
    return next(s for s in range(100) if len(set(hash_folds(keys, 4, s))) < 4)


def test_given_folds_are_counted_from_zero_in_the_order_of_their_labels():
    assert fold_ids(4, 9, column=np.array(["10", "9", "9", "100"])).tolist() == [1, 0, 0, 2]
    assert fold_ids(3, 9, column=np.array(["b", "a", "b"])).tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="the fold column has one value"):
        fold_ids(2, 9, column=np.array([1, 1]))
    with pytest.raises(DataError, match="row 2 has no fold"):
        fold_ids(2, 9, column=np.array([1, np.nan]))


def test_contradictions_are_refused():
    with pytest.raises(UsageError, match="choose one of a group column, a fold column and contiguous folds"):
        fold_ids(4, 2, groups=np.arange(4), contiguous=True)
    with pytest.raises(UsageError, match="at least 2 folds, and 1 were asked for"):
        fold_ids(4, 1)
    with pytest.raises(DataError, match="there are 4 rows and groups of shape"):
        fold_ids(4, 2, groups=np.arange(3))
