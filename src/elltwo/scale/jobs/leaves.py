"""Leaves: the runs of rows whose moments are made in one go, and who does which together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from elltwo.errors import DataError
from elltwo.tables.reading.parquet import Part
from elltwo.tables.remote import is_remote

MOST_LEAVES = 256  # more would only make the forest deeper
FEW_LEAVES = 16  # when one node of the tree is large
LARGE_NODE = 64 * 2**20
# Few large row groups are cut into so many leaves, of so many rows at least, where their sums cost little to merge.
FINE_LEAVES, FINE_ROWS, SMALL_NODE = 64, 2**18, 4 * 2**20


@dataclass(frozen=True)
class Leaf:
    """A run of parts (row groups, files) whose moments are made in one go."""

    index: int
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """Files and row groups, for messages."""
        first = self.parts[0]
        group = "" if first.row_group is None else f" (row group {first.row_group})"
        more = f" and {len(self.parts) - 1} more parts" if len(self.parts) > 1 else ""
        return f"{first.file.short}{group}{more}"


def cut_leaves(parts: Sequence[Part], node: int, block: int) -> tuple[Leaf, ...]:
    """Runs of neighbouring parts, or pieces of parts, depending on nothing but the parts and the columns.

    ``node`` is the bytes of a leaf's moments, ``block`` the rows of a block.
    """
    if not parts:
        raise DataError("there are no rows to read")
    pieces = cut_groups(parts, block) if node <= SMALL_NODE else tuple(parts)
    count = min(len(pieces), FEW_LEAVES if node > LARGE_NODE else MOST_LEAVES)
    edges = [i * len(pieces) // count for i in range(count + 1)]
    return tuple(Leaf(i, pieces[a:b]) for i, (a, b) in enumerate(pairwise(edges)))


def cut_groups(parts: Sequence[Part], block: int) -> tuple[Part, ...]:
    """Large local row groups of Parquet in pieces of whole blocks, so that workers can share one."""
    most = FINE_LEAVES // max(len(parts), 1)
    return tuple(piece for part in parts for piece in _pieces(part, most, block))


def _pieces(part: Part, most: int, block: int) -> list[Part]:
    rows = part.rows or 0
    count = min(most, rows // FINE_ROWS)
    if count < 2 or part.file.format != "parquet" or is_remote(part.file.path):
        return [part]
    step, first = -(-rows // (count * block)) * block, part.first_row or 0
    return [
        replace(
            part,
            first_row=first + skip,
            first_in_file=part.first_in_file + skip,
            rows=min(step, rows - skip),
            skip=skip,
        )
        for skip in range(0, rows, step)
    ]


def runs(leaves: Sequence[Leaf], workers: int) -> list[tuple[Leaf, ...]]:
    """Leaves that one worker does in turn: those of one row group, which is then decoded once.

    Where row groups do not go evenly into the workers, the last ones are cut, so that all end together.
    """
    groups = [tuple(group) for _, group in groupby(leaves, _row_group)]
    left = len(groups) % workers
    whole, shared = groups[: len(groups) - left], groups[len(groups) - left :]
    return whole + [run for group in shared for run in _shares(group, -(-workers // left))]


def _row_group(leaf: Leaf) -> object:
    part = leaf.parts[0]
    return leaf.index if len(leaf.parts) > 1 or part.row_group is None else (part.file.path, part.row_group)


def _shares(group: tuple[Leaf, ...], count: int) -> list[tuple[Leaf, ...]]:
    """The first share is the largest: whoever has a later one decodes what comes before it as well."""
    count = min(count, len(group))
    edges = [-(-i * len(group) // count) for i in range(count + 1)]
    return [group[a:b] for a, b in pairwise(edges)]
