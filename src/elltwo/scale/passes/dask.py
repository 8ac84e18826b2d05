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
from elltwo.scale.jobs.job import Job, only_leaves
from elltwo.scale.jobs.leaves import Leaf, runs
from elltwo.scale.passes.again import Made, Merge, What, Work
from elltwo.scale.passes.passing import Progress, Watch, as_set, in_turn, leaf_moments
from elltwo.tables.moments.forest import Node, add_node, add_nodes, merge_in_order
from elltwo.tables.moments.sets import MomentSet

if TYPE_CHECKING:
    from distributed import Client


CONNECT_SECONDS = 15
FETCHED = 64 * 2**20  # bytes of all parts, up to which they are fetched and summed here
# Of processes made for one job: nobody looks at a profile of them, and a pass takes the same few blocks of memory
# again and again, which need not go back to the system in between.
LOCAL = {
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**27,
}


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
        from dask import config
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
        config.set(LOCAL),
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

    A worker that dies has its leaves done again by others.

    Raises
    ------
    DataError
        As in `passing.leaf_moments`: a damaged leaf's file and row group are named.
    """
    wanted = job.leaves if leaves is None else tuple(leaves)
    with cluster(address, workers, client) as on:
        return as_set(job, _forest(on, job, wanted, leaf_moments, merge_in_order, (), watch))


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
        [whole] = _forest(on, job, job.leaves, work, merge, (layout, None), watch).values()
        return whole


def _forest(
    on: Client,
    job: Job,
    leaves: Sequence[Leaf],
    work: Callable[..., Made],
    merge: Merge[Made],
    more: tuple[Any, ...],
    watch: Watch | None,
) -> dict[Node, Made]:
    """What ``work(job, leaf, *more)`` makes of the leaves, summed as far as families are complete.

    Small parts are fetched as they come and summed here, since each step on the cluster takes milliseconds; large ones
    are summed where they lie.
    """
    shares = runs(leaves, max(1, sum(on.nthreads().values())))
    few = job.arithmetic.full * len(shares) <= FETCHED
    of = job.card.leaves
    futures = {
        on.submit(in_turn, only_leaves(job, run), run, work, merge, *more, pure=False): run for run in shares
    }
    forest: dict[Node, Any] = {}
    if few:
        for made in _follow(futures, watch, True):
            add_nodes(forest, made, of, merge)
        return forest
    for future, run in futures.items():
        promised = {node: on.submit(getitem, future, node) for node in _sums(run, of)}
        add_nodes(forest, promised, of, lambda parts: on.submit(merge, parts))
    for _ in _follow(futures, watch, False):
        pass
    return on.gather(forest)


def _sums(run: tuple[Leaf, ...], leaves: int) -> list[Node]:
    """The nodes that a run leaves: its leaves, summed as far as their families are complete."""
    nodes: dict[Node, None] = {}
    for leaf in run:
        add_node(nodes, (0, leaf.index), None, leaves, lambda _: None)
    return list(nodes)


def _follow(futures: dict[Any, tuple[Leaf, ...]], watch: Watch | None, fetch: bool) -> Iterator[Any]:
    """Runs as they end, with what they made if it is to be fetched; the first that fails stops the job with its error.

    ``futures`` is emptied, so that what was made may be freed.
    """
    from distributed import as_completed

    start, rows = time.monotonic(), 0
    counts = [part.expected for run in futures.values() for leaf in run for part in leaf.parts]
    total = None if None in counts else sum(c or 0 for c in counts)
    for ended in as_completed(list(futures), with_results=fetch, raise_errors=False):
        future, made = ended if fetch else (ended, None)
        run = futures.pop(future)
        _refuse_failed(future, run)
        yield made
        rows += sum(part.expected or 0 for leaf in run for part in leaf.parts)
        if watch is not None:
            watch(Progress(rows, total, time.monotonic() - start))


def _refuse_failed(future: Any, run: tuple[Leaf, ...]) -> None:
    from distributed.scheduler import KilledWorker

    error = None if future.status == "finished" else future.exception()
    if isinstance(error, KilledWorker):
        raise DataError(
            f"{run[0].name} was lost with every worker that tried it: give workers more memory"
        ) from None
    if error is not None:
        raise error
