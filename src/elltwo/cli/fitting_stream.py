"""``elltwo fit`` in one pass: for files that memory will not hold, and for clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elltwo.cli.fitting import Asked, Fitted
from elltwo.cli.fitting_moments import facts
from elltwo.cli.watching import telling, watching
from elltwo.cli.words import flag_of
from elltwo.errors import UsageError

if TYPE_CHECKING:
    from elltwo.tables.reading.readers import Source


def wants_stream(data: str, params: dict[str, Any]) -> bool:
    """Asked for, implied by a cluster or a solver, or forced by the size of the files.

    Raises
    ------
    UsageError
        A stream is needed and forbidden at once, or the task is to classify.
    """
    implied = [n for n in ("dask", "workers", "memory_limit", "second_pass", "features") if params.get(n)]
    implied += ["solver"] * (params.get("solver") == "qr")
    wanted = params.get("stream")
    if wanted is False and implied:
        raise UsageError(f"{flag_of(implied[0])} is for streams: leave out --no-stream")
    stream = bool(implied) or (too_large(data) if wanted is None else wanted)
    if stream and params.get("task") == "classify":
        raise UsageError(
            "a stream fits numbers, not classes: encode two classes as 0 and 1, or use --no-stream"
        )
    return stream


def too_large(data: str) -> bool:
    """Whether the table would fill more than half of the free memory."""
    from elltwo.errors import DataError
    from elltwo.scale.jobs.arithmetic import free_memory, in_memory
    from elltwo.tables.files import list_files

    free = free_memory()
    try:
        files = list_files(data)
        return free is not None and in_memory(files) > free / 2
    except DataError:
        return False  # the reader says what is wrong


def fit_stream(data: str, targets: tuple[str, ...], table: dict[str, Any], asked: Asked, run: dict[str, Any],
               quiet: bool) -> Fitted:  # fmt: skip
    """Fit from one pass over files; leave-one-out, the default for few numbers, takes a second one.

    ``table`` are options of the table, the recipe among them; ``run`` those of the pass.
    """
    from elltwo.cli.reading import cap_of, date_uses
    from elltwo.scale.commands import fit_moments
    from elltwo.tables.reading.readers import open_source

    options = {k: v for k, v in table.items() if k not in ("task", "date") and v}
    if dates := date_uses(table.get("date") or ()):
        options["dates"] = dates
    source = open_source(data, options.get("encoding", "utf-8"))  # once: standard input is gone afterwards
    _check_recipe(source, targets, options)
    with watching(quiet) as watch:
        found = fit_moments(
            source, list(targets), rule=asked.rule, alpha=asked.alpha, standardize=asked.standardize,
            one_se=asked.one_se, folds=asked.folds, seed=asked.seed, contiguous=asked.ordered,
            max_levels=cap_of(table.get("recipe")), say=telling(quiet), watch=watch,
            **run, **options,
        )  # fmt: skip
    return facts(found, data, asked)


def _check_recipe(source: Source, targets: tuple[str, ...], options: dict[str, Any]) -> None:
    """Refuse a recipe that names columns which are not there, before a pass is spent on it."""
    from elltwo.tables.moments.choices import check_columns
    from elltwo.tables.plan import plan_columns

    recipe = options.get("recipe")
    if recipe is None or not (recipe.imputes or recipe.merge or recipe.references):
        return
    about = ("weights", "group", "fold_column", "categorical", "drop", "na", "dates", "encoding")
    check_columns(plan_columns(source, targets, **{k: options[k] for k in about if k in options}), recipe)
