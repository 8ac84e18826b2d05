"""A merge order that depends on the data alone: the same bits from one worker or a hundred, resumed or not.

The leaves of a job (runs of rows) are numbered. Four neighbours have one parent, up to one root, and
a parent is always the sum of its children from left to right. A forest holds the moments of the
highest nodes whose leaves have all been seen; who saw them, and in which order, leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar

from elltwo.errors import DataError
from elltwo.tables.moments.mixed import MixedMoments, merge_mixed

ARITY = 4
Node: TypeAlias = tuple[int, int]  # level above the leaves, position on it
T = TypeVar("T")  # moments, or a promise of them on another machine


def width(leaves: int, level: int) -> int:
    """Nodes on a level of the tree over so many leaves."""
    for _ in range(level):
        leaves = -(-leaves // ARITY)
    return leaves


def root(leaves: int) -> Node:
    """The node above all leaves."""
    level = 0
    while width(leaves, level) > 1:
        level += 1
    return (level, 0)


def children(node: Node, leaves: int) -> list[Node]:
    """The nodes right below one, from left to right."""
    level, at = node
    last = min(ARITY * (at + 1), width(leaves, level - 1))
    return [(level - 1, i) for i in range(ARITY * at, last)]


def leaves_below(node: Node, leaves: int) -> range:
    """The leaves that a node sums."""
    level, at = node
    return range(at * ARITY**level, min((at + 1) * ARITY**level, leaves))


def covered(nodes: Iterable[Node], leaves: int) -> set[int]:
    """Every leaf below some nodes."""
    return {leaf for node in nodes for leaf in leaves_below(node, leaves)}


def merge_in_order(parts: Iterable[MixedMoments]) -> MixedMoments:
    """The sum from left to right."""
    whole: MixedMoments | None = None
    for part in parts:
        whole = part if whole is None else merge_mixed(whole, part)
    assert whole is not None
    return whole


def add_node(
    forest: dict[Node, T],
    node: Node,
    value: T,
    leaves: int,
    merge: Callable[[list[T]], T] = merge_in_order,  # type: ignore[assignment]  # the default is for moments
) -> None:
    """Plant a node and sum families that are now complete, upward.

    Raises
    ------
    DataError
        Some of its leaves are there already.
    """
    twice = covered(forest, leaves) & set(leaves_below(node, leaves))
    if twice:
        raise DataError(f"part {min(twice) + 1} of {leaves} is there already")
    forest[node] = value
    while node != root(leaves):
        parent = (node[0] + 1, node[1] // ARITY)
        family = children(parent, leaves)
        if any(child not in forest for child in family):
            return
        forest[parent] = merge([forest.pop(child) for child in family])
        node = parent


def add_nodes(
    forest: dict[Node, T],
    nodes: Mapping[Node, T],
    leaves: int,
    merge: Callable[[list[T]], T] = merge_in_order,  # type: ignore[assignment]  # the default is for moments
) -> None:
    """Plant what a share of the leaves left; see `add_node`."""
    for node, value in nodes.items():
        add_node(forest, node, value, leaves, merge)
