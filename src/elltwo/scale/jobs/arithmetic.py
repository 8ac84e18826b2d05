"""What a pass will take, from what the plan knows: K·P²·8 bytes and a few blocks, whatever the rows."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elltwo.errors import UsageError
from elltwo.facts.plan import TablePlan
from elltwo.scale.jobs.leaves import MOST_LEAVES
from elltwo.tables.files import DataFile, fingerprint
from elltwo.tables.moments.forest import ARITY
from elltwo.tables.moments.levels import HEADROOM
from elltwo.tables.reading.parquet import decoded_ahead, parquet_shape

BLOCK_BYTES = 32 * 2**20  # of one copy of a block; between these numbers of rows:
FEWEST_ROWS, MOST_ROWS = 4_096, 16_000  # fewer make thin products; more leave the cache, and a column of
# more than 128 KiB is memory that malloc asks the system for each time, where it may not keep it (Dask's workers)
BLOCK_COPIES = 6  # Arrow batch, decoded columns, gathered columns, their transpose, flags
PAGE_COPIES = 2 * 2**20  # a decoder holds about two pages of a column,
VALUE_COPIES = 64  # or all of its few values
AHEAD_COPIES = 2  # rows that were decoded ahead, and the next ones while the last of them are still in use
READER_BYTES = 24 * 2**20  # of a reader, the text that it parses and its allocator, whatever the columns
FIT_COPIES, FOLD_COPIES = 11, 2  # P × P matrices while one fold is factored, and those that each fold keeps
# A frame in memory: copies of its numbers; bytes per byte of text; what text is packed to.
TABLE_COPIES, TEXT_COPIES, PACKED = 3, 4, 6
LEVELS_GUESS = 64  # levels of a category that the plan has not listed


@dataclass(frozen=True)
class Arithmetic:
    """Bytes of a pass and of the fit after it.

    Attributes
    ----------
    columns : P, stored columns: constant, numbers, missing flags, levels.
    folds : K.
    node : bytes of the moments of all folds, levels that are not known yet guessed: the table is cut by it.
    full : the same with the levels that a sample lets expect.
    nodes : how many of these may be held at once.
    blocks : bytes of the rows in flight.
    fit : bytes of the matrices while folds are factored, when the rows are gone.
    block_rows : rows of a block.
    threads : leaves at a time that ``blocks`` and ``nodes`` count.
    """

    columns: int
    folds: int
    node: int
    full: int
    nodes: int
    blocks: int
    fit: int
    block_rows: int = MOST_ROWS
    threads: int = 1

    @property
    def bytes(self) -> int:
        """The most at any time: during the pass, or during the fit after it."""
        return max(self.blocks + self.full * self.nodes, self.full + self.fit)

    @property
    def sentence(self) -> str:
        """The arithmetic in words, announced before the pass."""
        most = _size(self.folds * self.columns**2 * 8)
        return (
            f"{self.columns:,} stored columns and {self.folds} fold{'s' * (self.folds != 1)}: "
            f"{self.folds} x {self.columns:,}² x 8 bytes = {most} of moments at most, "
            f"with up to {self.nodes} partial sums and {_size(self.blocks)} of rows in flight, then "
            f"{_size(self.fit)} for the fit: at most {_size(self.bytes)} at a time, however many rows there are"
        )

    def refuse_beyond(self, limit: int | None) -> None:
        """UsageError if the limit is too small."""
        if limit is not None and self.bytes > limit:
            raise UsageError(
                f"this pass does not fit into {_size(limit)}: {self.sentence}. Use fewer folds, --drop columns, "
                f"a smaller --max-levels, or --folds 1 with --rule gcv"
            )


def memory_arithmetic(
    plan: TablePlan,
    folds: int,
    threads: int = 1,
    derived: int = 0,
    leaves: int = MOST_LEAVES,
    tallest: int | None = None,
) -> Arithmetic:
    """Count the columns of a plan and what they take; unknown levels are guessed, flags assumed everywhere.

    ``tallest`` is the rows of the largest part (row group, file), if they are known.
    """
    numbers = len(plan.number_names) + derived + len(plan.targets)
    dense = 1 + 2 * numbers if plan.sampled else 1 + numbers + derived + sum(c.missing for c in plan.numeric)
    levels, guess = _levels(plan, True), _levels(plan, False)
    columns, width = dense + sum(levels), numbers + len(levels)
    rows = max(FEWEST_ROWS, min(MOST_ROWS, BLOCK_BYTES // (8 * (dense + len(levels)))))
    ahead, page = decoded_ahead(rows, width), PAGE_COPIES
    block = rows if tallest is None else min(rows, tallest)
    if tallest is not None:
        ahead, page = min(ahead, tallest), min(page, VALUE_COPIES * tallest)
    per_thread = block * 8 * (dense + len(levels)) * BLOCK_COPIES + width * page
    per_thread += AHEAD_COPIES * 8 * width * ahead + READER_BYTES
    node, full = (folds * _stored(dense, each) for each in (guess, levels))
    nodes = partial_sums(leaves) + threads
    fit = (FIT_COPIES + FOLD_COPIES * folds) * 8 * columns**2
    return Arithmetic(columns, folds, node, full, nodes, threads * per_thread, fit, rows, threads)


def partial_sums(leaves: int) -> int:
    """Sums that a forest holds at most: a family less one on each level, one more, and two that a merge makes."""
    levels = next(level for level in range(64) if ARITY**level >= leaves)
    return 1 if leaves == 1 else min(leaves, (ARITY - 1) * levels + 1) + 2


def affordable(
    plan: TablePlan,
    folds: int,
    threads: int,
    *,
    derived: int,
    leaves: int,
    tallest: int | None,
    limit: int | None,
    fixed: bool,
) -> Arithmetic:
    """The arithmetic of so many threads, or of fewer where memory is short and their number is not ``fixed``.

    Raises
    ------
    UsageError
        The limit (default: what the machine has free) is too small.
    """
    limit = free_memory() if limit is None else limit
    found = memory_arithmetic(plan, folds, threads, derived, leaves, tallest)
    while not fixed and found.threads > 1 and limit is not None and found.bytes > limit:
        found = memory_arithmetic(plan, folds, found.threads - 1, derived, leaves, tallest)
    found.refuse_beyond(limit)
    return found


def cores() -> int:
    """Cores that this process may use: those it is bound to, or what its container is granted of them."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return bound if quota == "max" else max(1, min(bound, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return bound  # no such limit here


def _levels(plan: TablePlan, seen: bool) -> list[int]:
    """Slots of each category: of its levels, guessed while they are unknown; of those that the sample promises too."""
    most, least = HEADROOM * plan.max_levels, LEVELS_GUESS if plan.sampled else 1
    return [min(max(len(c.levels), seen * c.expected, least), most) + 2 for c in plan.categories]


def _stored(dense: int, levels: Sequence[int]) -> int:
    """Bytes of one fold's moments: dense × dense, levels × dense, and levels × levels of other categories."""
    cross = (sum(levels) ** 2 - sum(n * n for n in levels)) // 2
    return 8 * (dense**2 + sum(levels) * dense + cross)


def free_memory() -> int | None:
    """Bytes that this process may still take: the machine's free memory or its container's limit."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except OSError:
        if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
            found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if limit != "max":
            found.append(max(int(limit) - used, 0))
    except (OSError, ValueError):
        pass  # no such limit here
    return min(found) if found else None


def in_memory(files: Sequence[DataFile]) -> int:
    """About how many bytes a frame of these files would take; 0 for what only reading can tell."""
    if any(file.format == "unknown" for file in files):
        return 0
    return sum(_unpacked(file) for file in files)


def _unpacked(file: DataFile) -> int:
    """Parquet by rows and columns, compressed text by what text is packed to, and copies of both."""
    size = fingerprint(file.path)[0]
    if file.format == "parquet":
        shape = parquet_shape(file)
        return max(TABLE_COPIES * 8 * shape[0] * shape[1], size)
    return TEXT_COPIES * size * (PACKED if file.path.lower().endswith(".gz") else 1)


def parse_bytes(text: str) -> int:
    """4_000_000_000 from "4GB", "4 gb" or "4000000000".

    Raises
    ------
    UsageError
        Anything else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", text.lower())
    if not found:
        raise UsageError(f"--memory-limit {text}: write a size such as 4GB or 500MB")
    return int(float(found[1]) * 1000 ** " kmgt".index(found[2] or " "))


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
