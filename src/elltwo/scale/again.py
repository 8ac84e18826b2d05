"""A pass after the first: the same leaves, the same tree, other work. Here, on threads, or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from threadpoolctl import threadpool_limits

from elltwo.scale.job import Job, Leaf
from elltwo.scale.passing import Progress, Watch, in_order
from elltwo.tables.moments.forest import Node, add_node

What = TypeVar("What")
Made = TypeVar("Made")
Work = Callable[[Job, Leaf, What], Made]  # a plain function: it travels
Merge = Callable[[Sequence[Made]], Made]


def pass_again(
    job: Job,
    work: Work[What, Made],
    what: What,
    merge: Merge[Made],
    threads: int = 1,
    watch: Watch | None = None,
) -> Made:
    """What ``work(job, leaf, what)`` makes of every leaf, merged in the order of the tree.

    Raises
    ------
    DataError
        As in the first pass; a file that has changed since it was planned is named.
    """
    forest: dict[Node, Made] = {}
    counts = [part.expected for leaf in job.leaves for part in leaf.parts]
    rows, total, start = 0, None if None in counts else sum(c or 0 for c in counts), time.monotonic()
    with threadpool_limits(1):  # around all threads, so that none lifts the limit while another works
        for leaf, found in in_order(lambda leaf: work(job, leaf, what), list(job.leaves), threads):
            add_node(forest, (0, leaf.index), found, job.card.leaves, merge)
            rows += sum(part.expected or 0 for part in leaf.parts)
            if watch is not None:
                watch(Progress(rows, total, time.monotonic() - start))
    [whole] = forest.values()
    return whole
