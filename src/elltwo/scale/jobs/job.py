"""A job: one pass over a source, cut into leaves that any worker can do in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elltwo.errors import DataError, UsageError
from elltwo.facts.derived import Derived
from elltwo.facts.plan import TablePlan
from elltwo.scale.jobs.arithmetic import Arithmetic, affordable, cores, memory_arithmetic, parse_bytes
from elltwo.scale.jobs.identity import file_card, job_id
from elltwo.scale.jobs.leaves import Leaf, cut_leaves
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.columns.derived import derive
from elltwo.tables.files import fingerprint
from elltwo.tables.folds import BALANCED_BELOW
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.sets import JobCard
from elltwo.tables.numbering import numbered
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import iter_batches
from elltwo.tables.reading.parquet import Part
from elltwo.tables.reading.readers import Source, open_source
from elltwo.tables.reading.samples import sample_table


@dataclass(frozen=True)
class Job:
    """Everything a worker needs, small enough to send to each.

    Attributes
    ----------
    source : the opened source; holds no rows unless it is a frame.
    plan : what the columns are.
    rule : which fold a row is in.
    leaves : what there is to do.
    card : identity of the job.
    changed : path -> (size, time of change) when the job was planned.
    arithmetic : what it will take.
    derived : columns to make from columns.
    """

    source: Source
    plan: TablePlan
    rule: FoldRule
    leaves: tuple[Leaf, ...]
    card: JobCard
    changed: dict[str, tuple[int, int]]
    arithmetic: Arithmetic
    derived: tuple[Derived, ...] = ()


def plan_job(
    source: object,
    target: str | Sequence[str] | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    contiguous: bool = False,
    plan: TablePlan | None = None,
    memory_limit: int | str | None = None,
    threads: int | None = 1,
    features: Sequence[str] = (),
    mergeable: bool = False,
    **options: Any,
) -> Job:
    """Look at a source, plan its columns and folds, cut it into leaves, and refuse what will not fit.

    Parameters
    ----------
    source : path, glob, folder, list of these, or a frame.
    target : column or columns whose missing values leave a row out. Others may still be targets later.
    folds, seed, contiguous : see `FoldRule`; ``group=`` and ``fold_column=`` go before row numbers.
    plan : an earlier plan to use instead of making one.
    memory_limit : bytes, or text such as "4GB"; by default what the machine has free.
    threads : leaves done at a time, which the memory arithmetic counts; None for one per core, or fewer where memory
        is short.
    features : columns to make from columns; see `elltwo.tables.columns.derived`.
    mergeable : will other data be merged later? Then groups are drawn by hash even where rows are few, as theirs
        will be; else few rows have balanced groups, as in memory.
    options : ``weights``, ``group``, ``fold_column``, ``categorical``, ``drop``, ``na``, ``dates``,
        ``max_levels``, ``encoding`` of `plan_columns`.

    Raises
    ------
    DataError
        A source or a plan that cannot be.
    UsageError
        More memory needed than there is; the message shows the arithmetic.
    """
    opened = open_source(source, options.get("encoding", "utf-8"))
    plan = plan or stream_plan(opened, target, options)
    if plan.task != "regress":
        raise UsageError("moments need targets that are numbers: encode the classes as 0 and 1 first")
    derived = derive_features(opened, plan, features)
    opened, pieces = numbered(opened, plan, whole=contiguous)
    rows = None if any(p.rows is None for p in pieces) else sum(p.rows or 0 for p in pieces)
    rule = choose_rule(opened, plan, folds, seed, contiguous=contiguous, rows=rows, mergeable=mergeable)
    made = sum(len(d.names) for d in derived)
    bare = memory_arithmetic(plan, rule.k, derived=made)
    leaves = cut_leaves(pieces, bare.node, bare.block_rows)
    limit = parse_bytes(memory_limit) if isinstance(memory_limit, str) else memory_limit
    at_once = min(cores(), len(leaves)) if threads is None else threads
    arithmetic = affordable(
        plan, rule.k, at_once, derived=made, leaves=len(leaves), tallest=_tallest(pieces), limit=limit,
        fixed=threads is not None,
    )  # fmt: skip
    held = {t.path: t.data for t in opened.texts}
    files = tuple(file_card(f, held.get(f.path)) for f in opened.files)
    card = JobCard(
        job_id(plan, rule, files, [leaf.parts for leaf in leaves], derived), files, len(leaves), rows
    )
    changed = {f.path: fingerprint(f.path) for f in opened.files if held.get(f.path) is None}
    return Job(opened, plan, rule, leaves, card, changed, arithmetic, derived)


def _tallest(parts: Sequence[Part]) -> int | None:
    """Rows of the largest part, where all are known."""
    known = [part.rows for part in parts if part.rows is not None]
    return max(known) if known and len(known) == len(parts) else None


def stream_plan(source: Source, target: str | Sequence[str] | None, options: dict[str, Any]) -> TablePlan:
    """Plan from a sample, or from all rows where the source is a frame in memory."""
    options = {k: v for k, v in options.items() if v is not None}
    return plan_columns(source.frame if source.frame is not None else source, target, **options)


def derive_features(source: Source, plan: TablePlan, texts: Sequence[str]) -> tuple[Derived, ...]:
    """Declared features, with centres and knots from a sample (from all rows of a frame)."""
    texts = (texts,) if isinstance(texts, str) else tuple(texts)
    if not texts:
        return ()
    known = [c.name for c in plan.used if c.kind in ("number", "boolean")]
    table = source.frame if source.frame is not None else sample_table(source, plan.na, ())
    bare = replace(plan, targets=(), weights=None, group=None, fold_column=None)
    batcher = Batcher(bare, finite=False)  # the pass says where an infinity stands, the sample cannot
    batches = [batcher(raw).numbers for raw in table.raws(batcher.columns)]
    numbers = np.concatenate(batches) if batches else np.empty((0, len(plan.number_names)))

    def sample(name: str) -> np.ndarray:
        column = numbers[:, plan.number_names.index(name)]
        return column[np.isfinite(column)]

    derived = derive(texts, sample, known)
    made = [name for d in derived for name in d.names]
    taken = {*plan.number_names, *(c.name for c in (*plan.columns, *plan.targets))}
    twice = [name for i, name in enumerate(made) if name in taken or name in made[:i]]
    if twice:
        raise UsageError(f"two columns would be named {twice[0]!r}: declare each feature once")
    return derived


def choose_rule(
    source: Source,
    plan: TablePlan,
    folds: int,
    seed: int,
    *,
    contiguous: bool,
    rows: int | None,
    mergeable: bool,
) -> FoldRule:
    """The fold rule that the options of `plan_job` ask for; ``rows`` of the whole source, if known."""
    if plan.fold_column is not None:
        return FoldRule.of_column(plan.fold_column, distinct(source, plan, plan.fold_column))
    if plan.group is not None:
        if rows is None or rows >= BALANCED_BELOW or mergeable or folds < 2:
            return FoldRule("group", folds, seed, column=plan.group)
        return FoldRule.of_groups(plan.group, groups_of_rows(source, plan), folds, seed)
    if contiguous:
        return FoldRule("contiguous", folds, seed, rows)
    return FoldRule.choose(folds, seed, rows)


def distinct(source: Source, plan: TablePlan, column: str) -> list[str]:
    """Values of one column, by reading that column alone beforehand."""
    bare = replace(plan, columns=(), targets=(), weights=None, group=None, fold_column=column)
    batcher = Batcher(bare, targets=False)
    for _ in iter_batches(source, bare, batcher=batcher):
        pass
    return list(batcher.fold_book.levels)


def groups_of_rows(source: Source, plan: TablePlan) -> np.ndarray:
    """(n,) keys of the groups of the rows that have every target, by reading those columns beforehand."""
    bare = replace(plan, columns=(), weights=None, fold_column=None)
    found = [np.empty(0, dtype=np.uint64)]
    for batch in iter_batches(source, bare):
        assert batch.group is not None
        found.append(batch.group[~np.isnan(batch.targets).any(axis=1)])
    return np.concatenate(found)


def shard(job: Job, number: int, of: int) -> tuple[Leaf, ...]:
    """The leaves of shard ``number`` (from 1) of ``of``: neighbours, so that few nodes are kept."""
    if not 1 <= number <= of:
        raise UsageError(f"--shard {number}/{of}: the first number goes from 1 to {of}")
    n = len(job.leaves)
    leaves = job.leaves[(number - 1) * n // of : number * n // of]
    if not leaves:
        raise UsageError(
            f"--shard {number}/{of}: there {'is' if n == 1 else 'are'} only {n} part{'s' * (n != 1)} to share out; "
            f"use at most {n} shard{'s' * (n != 1)}"
        )
    return leaves


def only_leaves(job: Job, leaves: tuple[Leaf, ...]) -> Job:
    """The job without what some leaves do not need: small enough to travel with the task."""
    paths = {part.file.path for leaf in leaves for part in leaf.parts}
    source = replace(
        job.source,
        files=tuple(f for f in job.source.files if f.path in paths),
        texts=tuple(t for t in job.source.texts if t.path in paths),
    )
    changed = {path: stamp for path, stamp in job.changed.items() if path in paths}
    return replace(job, source=source, leaves=leaves, changed=changed)


def refuse_changed(job: Job, leaf: Leaf) -> None:
    """Stop if a file is not the one that was planned."""
    for path in {part.file.path for part in leaf.parts}:
        if path in job.changed and fingerprint(path) != job.changed[path]:
            raise DataError(f"{path} has changed since the pass was planned: start again")
