"""Moments with their papers: which columns, which folds, which files, which parts are still missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elltwo.errors import DataError
from elltwo.facts.derived import Derived
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.forest import Node, add_node, covered, merge_in_order, root
from elltwo.tables.moments.mixed import MixedMoments


@dataclass(frozen=True)
class FileCard:
    """What identifies a file wherever it lies: its name, size, and a digest of its head and tail."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class JobCard:
    """One pass over some files: its identity, its files, into how many leaves it was cut, rows if known."""

    id: str
    files: tuple[FileCard, ...]
    leaves: int
    rows: int | None = None


@dataclass(frozen=True)
class MomentSet:
    """All that a fit needs of some rows, and where they came from.

    Attributes
    ----------
    plan : what the columns are.
    rule : which fold a row is in.
    jobs : the passes that are in here, finished or not.
    nodes : job id -> forest of its moments. The sum of finished jobs that were merged stands under "".
    derived : columns that were made from columns in the pass.
    """

    plan: TablePlan
    rule: FoldRule
    jobs: tuple[JobCard, ...]
    nodes: dict[str, dict[Node, MixedMoments]]
    derived: tuple[Derived, ...] = ()

    def job(self, id: str) -> JobCard:
        """The card of one job."""
        return next(card for card in self.jobs if card.id == id)

    def absent(self) -> dict[str, list[int]]:
        """Job id -> leaves not seen yet, for jobs that are not finished."""
        out = {}
        for id, forest in self.nodes.items():
            if id:
                leaves = self.job(id).leaves
                gone = sorted(set(range(leaves)) - covered(forest, leaves))
                if gone:
                    out[id] = gone
        return out

    def total(self) -> MixedMoments:
        """Moments of all rows.

        Raises
        ------
        DataError
            Some parts of a job are missing; the message names its files.
        """
        for id, gone in self.absent().items():
            card = self.job(id)
            raise DataError(
                f"{len(gone)} of {card.leaves} parts of {_files(card)} are missing (the first is part "
                f"{gone[0] + 1}): run the missing shards and merge them, then fit"
            )
        return merge_in_order(self.nodes[id][node] for id in sorted(self.nodes) for node in self.nodes[id])


def _files(card: JobCard) -> str:
    more = f" and {len(card.files) - 1} more files" if len(card.files) > 1 else ""
    return f"{card.files[0].name}{more}" if card.files else "the data"


def merge_sets(sets: Sequence[MomentSet], names: Sequence[str] = ()) -> MomentSet:
    """One set from several: shards of one job, or new data.

    Unfinished jobs stay as forests, so shards merge to the same bits in any order. Finished ones are
    summed, in the order of their ids, so that the file does not grow with the number of merges.

    Raises
    ------
    DataError
        Columns, folds or seeds that differ, or rows that would count twice; the message names them.
    """
    if not sets:
        raise DataError("there is nothing to merge: give at least one moments file")
    names = list(names) or [f"set {i + 1}" for i in range(len(sets))]
    for other, name in zip(sets[1:], names[1:], strict=True):
        check_fit(sets[0], other, names[0], name)
    refuse_duplicates(sets, names)
    cards = {card.id: card for s in sets for card in s.jobs}
    forests: dict[str, dict[Node, MixedMoments]] = {id: {} for id in sorted(cards)}
    done = [s.nodes[""][node] for s in sets for node in s.nodes.get("", {})]
    for s in sets:
        for id, forest in s.nodes.items():
            for node, moments in sorted(forest.items()) if id else ():
                add_node(forests[id], node, moments, cards[id].leaves)
    return MomentSet(
        sets[0].plan, sets[0].rule, tuple(cards.values()), _summed(forests, cards, done), sets[0].derived
    )


def _summed(
    forests: dict[str, dict[Node, MixedMoments]], cards: dict[str, JobCard], done: list[MixedMoments]
) -> dict[str, dict[Node, MixedMoments]]:
    """Finished jobs in one sum as soon as there are two; the others as they are."""
    finished = {id: f[root(cards[id].leaves)] for id, f in forests.items() if root(cards[id].leaves) in f}
    open_jobs = {id: f for id, f in forests.items() if f and id not in finished}
    if not done and len(finished) == 1:
        return {**{id: forests[id] for id in finished}, **open_jobs}
    if not done and not finished:
        return open_jobs
    return {"": {(0, 0): merge_in_order([*done, *finished.values()])}, **open_jobs}


def refuse_duplicates(sets: Sequence[MomentSet], names: Sequence[str]) -> None:
    """No leaf of a job twice, and no file in two jobs."""
    for i, (a, name_a) in enumerate(zip(sets, names, strict=True)):
        for b, name_b in zip(sets[i + 1 :], names[i + 1 :], strict=True):
            _refuse_shared_leaves(a, b, name_a, name_b)
            _refuse_shared_files(a, b, name_a, name_b)


def _refuse_shared_leaves(a: MomentSet, b: MomentSet, name_a: str, name_b: str) -> None:
    for card in a.jobs:
        if card.id not in {c.id for c in b.jobs}:
            continue
        twice = sorted(_leaves(a, card) & _leaves(b, card))
        if twice:
            raise DataError(
                f"{name_a} and {name_b} both hold part {twice[0] + 1} of {card.leaves} of {_files(card)}: "
                f"merging them would count its rows twice; leave one of them out"
            )


def _leaves(s: MomentSet, card: JobCard) -> set[int]:
    """Leaves of a job that a set holds; all of them once the job is part of a sum."""
    return covered(s.nodes[card.id], card.leaves) if card.id in s.nodes else set(range(card.leaves))


def _refuse_shared_files(a: MomentSet, b: MomentSet, name_a: str, name_b: str) -> None:
    of_a = {(f.size, f.digest): (f, card.id) for card in a.jobs for f in card.files}
    for card in b.jobs:
        for f in card.files:
            match = of_a.get((f.size, f.digest))
            if match and match[1] != card.id:
                raise DataError(
                    f"{name_a} and {name_b} both hold the rows of {f.name} (the same {f.size:,} bytes): "
                    f"merging them would count them twice; leave one of them out"
                )


def check_fit(a: MomentSet, b: MomentSet, name_a: str, name_b: str) -> None:
    """Refuse to merge what does not mean the same, naming the difference."""
    ours, theirs = ({c.name: c for c in (*s.plan.columns, *s.plan.targets)} for s in (a, b))
    for name in (*ours, *theirs):
        if name not in theirs or name not in ours:
            has, lacks = (name_a, name_b) if name in ours else (name_b, name_a)
            raise DataError(
                f"{has} has column {name!r} and {lacks} has not: they do not describe the same table"
            )
        x, y = kind(ours[name]), kind(theirs[name])
        if x != y:
            raise DataError(f"column {name!r} is a {x} in {name_a} and a {y} in {name_b}: plan both alike")
    if a.derived != b.derived:
        raise DataError(
            f"{name_a} and {name_b} have different derived features ({_made(a)} and {_made(b)}): make both alike"
        )
    if [c.name for c in a.plan.targets] != [c.name for c in b.plan.targets]:
        raise DataError(f"{name_a} and {name_b} were made for different targets")
    for what in ("weights", "max_levels"):
        x, y = getattr(a.plan, what), getattr(b.plan, what)
        if x != y:
            raise DataError(f"{name_a} has {what} {x!r} and {name_b} has {y!r}: make both alike")
    for what in ("kind", "k", "seed", "column", "labels", "keys", "places"):
        x, y = getattr(a.rule, what), getattr(b.rule, what)
        if x != y:
            raise DataError(
                f"{name_a} has {a.rule.sentence} and {name_b} has {b.rule.sentence}: make both with the "
                f"same folds and seed"
            )


def _made(s: MomentSet) -> str:
    return ", ".join(name for d in s.derived for name in d.names) or "none"


def kind(column: ColumnPlan) -> str:
    """What a column is, for comparing plans: booleans are numbers, dates name their parts."""
    if column.kind == "boolean":
        return "number"
    return f"date as {', '.join(column.parts)}" if column.kind == "date" else column.kind
