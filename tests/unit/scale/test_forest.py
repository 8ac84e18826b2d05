"""The merge order depends on the data alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import DataError
from elltwo.tables.moments.forest import add_node, children, covered, leaves_below, root, width
from scale_problems import gathered, mixed_table

TABLE = mixed_table(n=690, missing=0.05)
LEAVES = 23
PARTS = [gathered(TABLE, slice(30 * i, 30 * (i + 1)), folds=4) for i in range(LEAVES)]


def grown(order):
    forest = {}
    for i in order:
        add_node(forest, (0, i), PARTS[i], LEAVES)
    return forest[root(LEAVES)]


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(LEAVES)))
def test_any_order_of_work_gives_the_same_bits(order):
    expected, found = grown(range(LEAVES)), grown(order)
    assert found.levels == expected.levels
    np.testing.assert_array_equal(found.dense, expected.dense)
    for a, b in zip(found.sums, expected.sums, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.cross[0, 1], expected.cross[0, 1])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, LEAVES - 1), min_size=1, max_size=4, unique=True), st.randoms())
def test_forests_of_shards_planted_in_any_order_give_the_same_bits(cuts, random):
    edges = [0, *sorted(cuts), LEAVES]
    shards = []
    for a, b in itertools.pairwise(edges):
        forest = {}
        for i in range(a, b):
            add_node(forest, (0, i), PARTS[i], LEAVES)
        shards.append(forest)
    random.shuffle(shards)
    whole = {}
    for forest in shards:
        for node, moments in forest.items():
            add_node(whole, node, moments, LEAVES)
    assert list(whole) == [root(LEAVES)]
    np.testing.assert_array_equal(whole[root(LEAVES)].dense, grown(range(LEAVES)).dense)


@given(st.integers(1, 2000))
def test_every_level_partitions_the_leaves(leaves):
    level, at = root(leaves)
    assert (at, width(leaves, level)) == (0, 1)
    for height in range(1, level + 1):
        seen = [leaf for i in range(width(leaves, height)) for leaf in leaves_below((height, i), leaves)]
        assert seen == list(range(leaves))
        below = [child for i in range(width(leaves, height)) for child in children((height, i), leaves)]
        assert below == [(height - 1, i) for i in range(width(leaves, height - 1))]


def test_a_stream_of_leaves_holds_few_nodes():
    forest, most = {}, 0
    for i in range(256):
        add_node(forest, (0, i), i, 256, lambda parts: parts[0])
        most = max(most, len(forest))
    assert most <= 13  # three on each of four levels, and one more while it is planted


def test_a_part_planted_twice_is_refused():
    forest = {}
    add_node(forest, (0, 0), PARTS[0], LEAVES)
    with pytest.raises(DataError, match="part 1 of 23 is there already"):
        add_node(forest, (0, 0), PARTS[0], LEAVES)
    assert covered(forest, LEAVES) == {0}
