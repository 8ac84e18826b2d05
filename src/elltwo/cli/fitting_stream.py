"""``elltwo fit`` in one pass: for files that memory will not hold, and for clusters."""

from __future__ import annotations

import sys
from typing import Any

from elltwo.cli.console import say
from elltwo.cli.fitting import Asked, Fitted
from elltwo.cli.fitting_moments import _facts
from elltwo.errors import UsageError

NAMES = ("stream", "solver", "threads", "dask", "workers")
UNPACKED = 4  # a frame in memory takes about so many times its file's bytes


def wants_stream(data: str, params: dict[str, Any]) -> bool:
    """Asked for, implied by a cluster or a solver, or forced by the size of the files.

    Raises
    ------
    UsageError
        A stream is needed and forbidden at once, or the task is to classify.
    """
    implied = [n for n in ("dask", "workers") if params.get(n)] + ["solver"] * (params.get("solver") == "qr")
    wanted = params.get("stream")
    if wanted is False and implied:
        raise UsageError(f"--{implied[0]} reads a stream: leave out --no-stream")
    stream = bool(implied) or (too_large(data) if wanted is None else wanted)
    if stream and params.get("task") == "classify":
        raise UsageError(
            "a stream fits numbers, not classes: encode two classes as 0 and 1, or use --no-stream"
        )
    return stream


def too_large(data: str) -> bool:
    """Whether the files would fill more than half of the free memory."""
    from elltwo.errors import DataError
    from elltwo.scale.arithmetic import free_memory
    from elltwo.tables.files import fingerprint, list_files

    free = free_memory()
    try:
        files = list_files(data)
    except DataError:
        return False  # the reader says what is wrong
    if free is None or any(f.format == "unknown" for f in files):
        return False
    return UNPACKED * sum(fingerprint(f.path)[0] for f in files) > free / 2


def fit_stream(data: str, targets: tuple[str, ...], table: dict[str, Any], asked: Asked, run: dict[str, Any],
               quiet: bool) -> Fitted:  # fmt: skip
    """Fit from one pass over files; the default rule is K-fold, since no row is kept to be left out."""
    from elltwo.cli.commands.stats import _watch
    from elltwo.cli.reading import date_uses
    from elltwo.scale.commands import fit_moments

    watch = _watch(quiet)
    options = {k: v for k, v in table.items() if k not in ("task", "date") and v}
    if dates := date_uses(table.get("date") or ()):
        options["dates"] = dates
    found = fit_moments(
        data, list(targets), rule=None if asked.rule == "loo" else asked.rule, alpha=asked.alpha,
        standardize=asked.standardize, one_se=asked.one_se, solver=run["solver"], folds=asked.folds, seed=asked.seed,
        contiguous=asked.ordered, threads=run["threads"], dask=run["dask"], workers=run["workers"],
        say=None if quiet else say, watch=watch, **options,
    )  # fmt: skip
    if watch is not None:
        sys.stderr.write("\r\033[K")
    return _facts(found, data, asked)
