"""What the terminal calls: stats, merge, and fit from moments or in one pass over files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from elltwo.errors import UsageError, unknown_option
from elltwo.scale.fits.leaving import Sweep
from elltwo.scale.fitting import MomentFit, fit_set
from elltwo.scale.passes.passing import SAVE_SECONDS, Watch
from elltwo.scale.passes.running import Engine, Say, parse_shard, run_source
from elltwo.scale.passes.sweeping import Sweeper
from elltwo.selecting.registry import find_rule
from elltwo.tables.moments.file import read_moments, write_moments
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.sets import MomentSet, merge_sets
from elltwo.tables.moments.triangles import Triangles

__all__ = ["fit_moments", "merge_command", "moments_from", "moments_paths", "parse_shard", "stats_command"]

SUFFIX = ".moments"
SOLVERS = ("gram", "qr")
JOB_OPTIONS = (
    "features", "folds", "seed", "contiguous", "plan", "memory_limit", "weights", "group", "fold_column",
    "categorical", "drop", "na", "dates", "max_levels", "encoding", "on_error",
)  # fmt: skip
ENGINE_OPTIONS = ("threads", "dask", "workers", "say", "watch", "checkpoint", "save_seconds")


def stats_command(
    files: object,
    out: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    shard_of: str | None = None,
    threads: int | None = None,
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
    threads, dask, workers : leaves at a time here (default: one per core); a scheduler's address; local Dask processes.
    say : is told the plan's notes and the memory arithmetic before the pass.
    watch : is told the progress.
    options : ``on_error`` ("stop" or "retype"), and those of `job.plan_job`. Groups are always drawn by hash,
        so that later data agree with these.
    """
    checkpoint = f"{os.fspath(out)}.unfinished"  # OUT only ever holds a finished pass
    keep = resume and dask is None and not workers
    engine = Engine(threads, dask, workers, say, watch, checkpoint if keep else None, save_seconds)
    found = run_source(files, target, engine, shard_of=shard_of, mergeable=True, **options).moments
    write_moments(out, found)
    if keep and os.path.exists(checkpoint):
        os.unlink(checkpoint)
    return found


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
    source: object, target: str | Sequence[str] | None = None, *, solver: str = "gram", **options: Any
) -> MomentSet:
    """Moments of anything: a set, moments files, or a source that is read now in one pass.

    ``options`` are those of `running.Engine`, ``on_error``, and those of `job.plan_job`.
    """
    return _ready(source, target, options, ("--solver qr",) if solver == "qr" else ()).moments


@dataclass(frozen=True)
class Ready:
    """Moments, and what reads the same rows again where something needs them."""

    moments: MomentSet
    triangles: Callable[[MixedMoments], Triangles] | None = None
    sweep: Sweep | None = None


def _ready(
    source: object, target: str | Sequence[str] | None, options: dict[str, Any], again: tuple[str, ...]
) -> Ready:
    """Moments of a source; ``again`` names the options that read its rows a second time."""
    paths = moments_paths(source)
    if isinstance(source, MomentSet) or paths:
        if again:
            raise UsageError(
                f"{again[0]} reads the rows a second time, and moments keep none: give the files, or leave it out"
            )
        given = sorted(k for k in options if k in JOB_OPTIONS and options[k] not in (None, (), [], "stop"))
        if given and paths:
            raise UsageError(
                f"--{given[0].replace('_', '-')} was settled when the moments were made: make them again"
            )
        return Ready(
            source if isinstance(source, MomentSet) else merge_sets([read_moments(p) for p in paths], paths)
        )
    engine = Engine(**{k: options.pop(k) for k in ENGINE_OPTIONS if k in options})
    start = time.monotonic()
    ran = run_source(source, target, engine, **options)
    return Ready(
        ran.moments,
        lambda m: engine.triangles(ran.job, m),
        Sweeper(ran.job, engine, time.monotonic() - start),
    )


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
    second_pass: bool = False,
    **run: Any,
) -> MomentFit:
    """minimise Σᵢ wᵢ (yᵢ − g − xᵢᵀβ)² + λ‖Lβ‖² in one pass, with every fold and every λ.

    Parameters
    ----------
    source : moments files, a `MomentSet`, or any table; ``run`` are options of `moments_from`.
    target, rule, alphas, alpha, standardize, intercept, one_se, recipe, penalty : see `fitting.fit_set`.
    solver : ``"gram"``, or ``"qr"`` for a second pass that streams triangles: several times the cost, and
        twice the digits where λ is too small for a Gram matrix. ``spectrum.origin`` says which was used.
    second_pass : read the rows again at the chosen λ and keep a sample of them, those of large leverage, and those
        far from what the others predict: ``fit.looked``. ``rule="loo"`` implies it.
    """
    if solver not in SOLVERS:
        raise unknown_option("solver", solver, SOLVERS)
    later: Any = ()
    if moments_paths(source) or isinstance(source, MomentSet):
        later = run.pop("drop", ())
    loo = alpha is None and rule not in (None, "auto") and find_rule(rule).name == "loo"
    again = {"--solver qr": solver == "qr", "--rule loo": loo, "--second-pass": second_pass}
    ready = _ready(source, target, run, tuple(name for name, wanted in again.items() if wanted))
    return fit_set(
        ready.moments, target, rule=rule, alphas=alphas, alpha=alpha, standardize=standardize, intercept=intercept,
        one_se=one_se, recipe=recipe, penalty=penalty, drop=(later,) if isinstance(later, str) else tuple(later),
        triangles=ready.triangles if solver == "qr" else None, sweep=ready.sweep,
        second_pass=second_pass,
    )  # fmt: skip
