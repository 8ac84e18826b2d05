"""A pass after the first: the same leaves, the same tree, other work. Here, on threads, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from elltwo.scale.jobs.job import Job
from elltwo.scale.jobs.leaves import Leaf
from elltwo.scale.jobs.threads import one_thread
from elltwo.scale.passes.passing import Counter, Watch, in_order
from elltwo.tables.moments.forest import Node, add_node

What = TypeVar("What")
Made = TypeVar("Made")
Seen = Callable[[int], None]  # told the rows of each block
Work = Callable[[Job, Leaf, What, Seen | None], Made]  # a plain function: it travels
Merge = Callable[[Sequence[Made]], Made]


def pass_again(
    job: Job,
    work: Work[What, Made],
    what: What,
    merge: Merge[Made],
    threads: int = 1,
    watch: Watch | None = None,
) -> Made:
    """What ``work(job, leaf, what, seen)`` makes of every leaf, merged in the order of the tree.

    Raises
    ------
    DataError
        As in the first pass; a file that has changed since it was planned is named.
    """
    forest: dict[Node, Made] = {}
    seen = Counter(job.leaves, watch)
    with one_thread():  # around all threads, so that none lifts the limit while another works
        for leaf, found in in_order(lambda leaf: work(job, leaf, what, seen), list(job.leaves), threads):
            add_node(forest, (0, leaf.index), found, job.card.leaves, merge)
    [whole] = forest.values()
    return whole
