"""What the terminal calls: stats, merge, and fit from moments or in one pass over files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from elltwo.errors import UsageError, unknown_option
from elltwo.scale.fitting import MomentFit, fit_set
from elltwo.scale.job import Job, plan_job, shard
from elltwo.scale.passing import SAVE_SECONDS, Watch, run_job
from elltwo.tables.moments.file import read_moments, write_moments
from elltwo.tables.moments.sets import MomentSet, merge_sets

SUFFIX = ".moments"
Say = Callable[[str], None]
PLAN_OPTIONS = (
    "weights",
    "group",
    "fold_column",
    "categorical",
    "drop",
    "na",
    "dates",
    "max_levels",
    "encoding",
)
SOLVERS = ("gram", "qr")
JOB_OPTIONS = ("features", "folds", "seed", "contiguous", "plan", "memory_limit", *PLAN_OPTIONS)


def stats_command(
    files: object,
    out: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    shard_of: str | None = None,
    threads: int = 1,
    dask: str | None = None,
    workers: int = 0,
    resume: bool = True,
    save_seconds: float = SAVE_SECONDS,
    say: Say | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> MomentSet:
    """``elltwo stats FILES --shard 3/16 -o 3.moments``: reduce files, or a share of them, to moments.

    Parameters
    ----------
    files : paths, globs, folders.
    out : the moments file. While the work goes on, what is done stands in ``OUT.unfinished``, saved every
        ``save_seconds``; with ``resume`` a pass that was killed is taken up from there.
    target : columns whose missing values leave a row out; any number may be the target later.
    shard_of : "3/16" for the third of sixteen shares.
    threads, dask, workers : leaves at a time here; a scheduler's address; local Dask processes.
    say : is told the plan's notes and the memory arithmetic before the pass.
    watch : is told the progress.
    options : of `job.plan_job`.
    """
    job = plan_job(files, target, threads=threads, **options)
    announce(job, say)
    leaves = job.leaves if shard_of is None else shard(job, *parse_shard(shard_of))
    if dask is None and not workers:
        checkpoint = _checkpoint(out) if resume else None
        found = run_job(
            job, leaves, threads=threads, checkpoint=checkpoint, save_seconds=save_seconds, watch=watch
        )
        write_moments(out, found)
        if checkpoint is not None and os.path.exists(checkpoint):
            os.unlink(checkpoint)
        return found
    found = _on_dask(job, leaves, dask, workers, watch)
    write_moments(out, found)
    return found


def _checkpoint(out: str | os.PathLike[str]) -> str:
    """Where an unfinished pass is kept, so that OUT only ever holds a finished one."""
    return f"{os.fspath(out)}.unfinished"


def announce(job: Job, say: Say | None) -> None:
    """Say what the pass will do and take, before it starts."""
    if say is None:
        return
    rows = "" if job.card.rows is None else f"{job.card.rows:,} rows in "
    say(f"{rows}{len(job.leaves)} parts of {job.source.name}; {job.rule.sentence}")
    for note in job.plan.notes:
        say(note)
    say(job.arithmetic.sentence)


def parse_shard(text: str) -> tuple[int, int]:
    """(3, 16) from "3/16".

    Raises
    ------
    UsageError
        Anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
    if not found:
        raise UsageError(f"--shard {text}: write it as 3/16, for the third of sixteen shares")
    return int(found[1]), int(found[2])


def merge_command(files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> MomentSet:
    """``elltwo merge *.moments -o all.moments``: shards of one job, or new data added to old.

    Raises
    ------
    DataError
        Files that do not fit, or hold the same rows; the message names them and the difference.
    """
    names = [os.fspath(f) for f in files]
    merged = merge_sets([read_moments(f) for f in files], names)
    write_moments(out, merged)
    return merged


def moments_from(
    source: object,
    target: str | Sequence[str] | None = None,
    *,
    threads: int = 1,
    dask: str | None = None,
    workers: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    say: Say | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> MomentSet:
    """Moments of anything: a set, moments files, or a source that is read now in one pass."""
    if isinstance(source, MomentSet):
        return source
    if paths := moments_paths(source):
        given = sorted(k for k in options if k in JOB_OPTIONS and options[k] not in (None, (), []))
        if given:
            raise UsageError(
                f"--{given[0].replace('_', '-')} was settled when the moments were made: make them again"
            )
        return merge_sets([read_moments(p) for p in paths], paths)
    job = plan_job(source, target, threads=threads, **options)
    announce(job, say)
    if dask is not None or workers:
        return _on_dask(job, job.leaves, dask, workers, watch)
    return run_job(job, threads=threads, checkpoint=checkpoint, watch=watch)


def _on_dask(job: Job, leaves: Any, dask: str | None, workers: int, watch: Watch | None) -> MomentSet:
    from elltwo.scale.dask import run_on_dask

    return run_on_dask(job, leaves, address=dask, workers=workers or 2, watch=watch)


def moments_paths(source: object) -> list[str]:
    """The paths, if the source is one moments file or several."""
    paths = [source] if isinstance(source, (str, os.PathLike)) else source
    if not isinstance(paths, (list, tuple)) or not paths:
        return []
    texts = [os.fspath(p) for p in paths if isinstance(p, (str, os.PathLike))]
    return texts if len(texts) == len(paths) and all(t.endswith(SUFFIX) for t in texts) else []


def fit_moments(
    source: object,
    target: str | Sequence[str] | None = None,
    *,
    rule: str | None = None,
    alphas: Any = None,
    alpha: float | None = None,
    standardize: bool = False,
    intercept: bool = True,
    one_se: bool = False,
    recipe: Any = None,
    penalty: Any = None,
    solver: str = "gram",
    **run: Any,
) -> MomentFit:
    """minimise Σᵢ wᵢ (yᵢ − g − xᵢᵀβ)² + λ‖Lβ‖² in one pass, with every fold and every λ.

    Parameters
    ----------
    source : moments files, a `MomentSet`, or any table; ``run`` are options of `moments_from`.
    target, rule, alphas, alpha, standardize, intercept, one_se, recipe, penalty : see `fitting.fit_set`.
    solver : ``"gram"``, or ``"qr"`` for a second pass that streams triangles: several times the cost, and
        twice the digits where λ is too small for a Gram matrix. ``spectrum.origin`` says which was used.
    """
    ready = bool(moments_paths(source)) or isinstance(source, MomentSet)
    later = run.pop("drop", ()) if ready else ()
    if solver not in SOLVERS:
        raise unknown_option("solver", solver, SOLVERS)
    triangles = None
    if solver == "qr":
        if ready:
            raise UsageError(
                "--solver qr reads the rows a second time, and moments keep none: give the files"
            )
        source, triangles = _twice(source, target, run)
        run = {}
    return fit_set(
        moments_from(source, target, **run),
        target,
        rule=rule,
        alphas=alphas,
        alpha=alpha,
        standardize=standardize,
        intercept=intercept,
        one_se=one_se,
        recipe=recipe,
        penalty=penalty,
        drop=(later,) if isinstance(later, str) else tuple(later),
        triangles=triangles,
    )


def _twice(source: object, target: Any, run: dict[str, Any]) -> tuple[MomentSet, Any]:
    """The moments of a source, and a function that reads it again for its triangles."""
    from elltwo.scale.exact import run_triangles

    say = run.get("say")
    planned = {k: v for k, v in run.items() if k in JOB_OPTIONS or k == "threads"}
    job = plan_job(source, target, **planned)
    announce(job, say)
    if say is not None:
        say("--solver qr: a second pass streams triangles, at several times the cost of the first")
    passing = {k: v for k, v in run.items() if k in ("threads", "checkpoint", "watch")}
    return run_job(job, **passing), lambda m: run_triangles(job, m)
