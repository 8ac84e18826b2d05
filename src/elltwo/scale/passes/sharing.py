"""A job in shares, for any engine that can call a function: what Spark, Ray or a queue of tasks is handed.

``shares`` cuts, ``share_moments`` runs anywhere, ``sum_shares`` brings together: the bits of one process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from elltwo.scale.jobs.job import Job, only_leaves
from elltwo.scale.jobs.leaves import Leaf, runs
from elltwo.scale.passes.passing import as_set, in_turn, leaf_moments
from elltwo.tables.moments.forest import Node, add_nodes, merge_in_order
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.sets import MomentSet

Partial = dict[Node, MixedMoments]  # sums of neighbouring leaves, by their place in the tree


@dataclass(frozen=True)
class Share:
    """What one worker does in turn: leaves that are decoded together. It can be pickled."""

    job: Job
    leaves: tuple[Leaf, ...]


def shares(job: Job, workers: int) -> list[Share]:
    """The job in shares that so many workers end at about the same time."""
    return [Share(only_leaves(job, run), run) for run in runs(job.leaves, max(1, workers))]


def share_moments(share: Share) -> Partial:
    """One share, on any machine that opens the files under the same names.

    Raises
    ------
    DataError
        As in `passing.leaf_moments`: a damaged part's file and row group are named.
    """
    return in_turn(share.job, share.leaves, leaf_moments, merge_in_order)


def sum_shares(job: Job, found: Iterable[Partial]) -> MomentSet:
    """The moments of all shares, in whatever order they come.

    Raises
    ------
    DataError
        A share came twice.
    """
    forest: Partial = {}
    for partial in found:
        add_nodes(forest, partial, job.card.leaves)
    return as_set(job, forest)
