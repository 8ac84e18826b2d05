"""Dask: the same leaves, the same tree, on other machines. Only moments travel.

dask is imported when a function is called.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import getitem
from typing import TYPE_CHECKING, Any

from elltwo.errors import DataError, MissingExtra, missing_extra
from elltwo.scale.again import Made, Merge, What, Work
from elltwo.scale.job import Job, only_leaves
from elltwo.scale.leaves import Leaf, runs
from elltwo.scale.passing import Progress, Watch, as_set, leaf_moments
from elltwo.tables.moments.forest import Node, add_node, merge_in_order
from elltwo.tables.moments.sets import MomentSet
from elltwo.tables.reading.parquet import kept_open

if TYPE_CHECKING:
    from distributed import Client


CONNECT_SECONDS = 15


def need_dask() -> MissingExtra:
    return missing_extra("dask", "dask", "a run on several processes or machines")


@contextmanager
def cluster(address: str | None = None, workers: int = 2, client: Client | None = None) -> Iterator[Client]:
    """A Dask client: the one given, one of a running cluster, or one of ``workers`` local processes.

    Local processes listen on 127.0.0.1 only and show no dashboard.

    Raises
    ------
    MissingExtra
        Dask is not installed.
    DataError
        Nobody answers at ``address``.
    """
    if client is not None:
        yield client
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise need_dask() from None
    if address is not None:
        try:
            remote = Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise DataError(f"no Dask scheduler answers at {address} ({type(error).__name__})") from None
        with remote:
            yield remote
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,  # a worker that is closed says so with a traceback; errors travel home
        ) as local,
        Client(local) as here,
    ):
        yield here


def run_on_dask(
    job: Job,
    leaves: Iterable[Leaf] | None = None,
    *,
    address: str | None = None,
    workers: int = 2,
    client: Client | None = None,
    watch: Watch | None = None,
) -> MomentSet:
    """Do a job, or some leaves of it, on a cluster: the bits of `passing.run_job`, whoever does what.

    A worker that dies has its leaves done again by others. Sums are made on the cluster, four by four.

    Raises
    ------
    DataError
        As in `passing.leaf_moments`: a damaged leaf's file and row group are named.
    """
    wanted = job.leaves if leaves is None else tuple(leaves)
    with cluster(address, workers, client) as on:
        return as_set(job, on.gather(_forest(on, job, wanted, leaf_moments, merge_in_order, (), watch)))


def again_on_dask(
    job: Job,
    work: Work[What, Made],
    what: What,
    merge: Merge[Made],
    *,
    address: str | None = None,
    workers: int = 2,
    client: Client | None = None,
    watch: Watch | None = None,
) -> Made:
    """A pass after the first on a cluster: the bits of `again.pass_again`; ``what`` travels to each worker once."""
    with cluster(address, workers, client) as on:
        layout = on.scatter(what, broadcast=True)
        [whole] = on.gather(_forest(on, job, job.leaves, work, merge, (layout, None), watch)).values()
        return whole


def _forest(
    on: Client,
    job: Job,
    leaves: Sequence[Leaf],
    work: Callable[..., Made],
    merge: Merge[Made],
    more: tuple[Any, ...],
    watch: Watch | None,
) -> dict[Node, Any]:
    """What ``work(job, leaf, *more)`` makes of the leaves, summed on the cluster as far as families are complete."""
    forest: dict[Node, Any] = {}
    done = {}
    for run in runs(leaves, max(1, sum(on.nthreads().values()))):
        future = on.submit(_run, only_leaves(job, run), run, work, merge, *more, pure=False)
        done[future] = run
        nodes: dict[Node, Any] = {}
        for leaf in run:
            add_node(nodes, (0, leaf.index), None, job.card.leaves, lambda _: None)
        for i, node in enumerate(nodes):
            made = future if len(nodes) == 1 else on.submit(getitem, future, i)
            add_node(forest, node, made, job.card.leaves, lambda parts: on.submit(merge, parts))
    _wait(done, watch)
    return forest


def _run(
    job: Job, run: tuple[Leaf, ...], work: Callable[..., Made], merge: Merge[Made], *more: Any
) -> Made | list[Made]:
    """Some leaves in turn, and the families among them summed: what is left, as one thing or several."""
    nodes: dict[Node, Made] = {}
    with kept_open():
        for leaf in run:
            add_node(nodes, (0, leaf.index), work(job, leaf, *more), job.card.leaves, merge)
    found = list(nodes.values())
    return found[0] if len(found) == 1 else found


def _wait(done: dict[Any, tuple[Leaf, ...]], watch: Watch | None) -> None:
    """Follow the runs as they end; the first one that fails stops the job with its own error."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    start, rows = time.monotonic(), 0
    counts = [part.expected for run in done.values() for leaf in run for part in leaf.parts]
    total = None if None in counts else sum(c or 0 for c in counts)
    for future in as_completed(list(done)):
        run, error = done.pop(future), future.exception()  # popped, so that its moments may be freed
        if isinstance(error, KilledWorker):
            raise DataError(
                f"{run[0].name} was lost with every worker that tried it: give workers more memory"
            ) from None
        if error is not None:
            raise error
        rows += sum(part.expected or 0 for leaf in run for part in leaf.parts)
        if watch is not None:
            watch(Progress(rows, total, time.monotonic() - start))
