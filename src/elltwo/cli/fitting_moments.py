"""``elltwo fit all.moments``: the same facts from moments, with no row at hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.cli.fitting import Asked, Fitted, intervals
from elltwo.cli.honest import Errors, worth_of
from elltwo.cli.reading import Loaded
from elltwo.cli.words import flag_of
from elltwo.errors import UsageError
from elltwo.selecting.nested import few_numbers

TABLE_OPTIONS = ("weights", "group", "fold_column", "categorical", "date", "na", "features")
ROW_OPTIONS = {"solver": "qr", "second_pass": True}  # these read rows


def is_moments(data: str) -> bool:
    """Whether a source is a moments file."""
    return data.endswith(".moments")


def fit_moments_file(data: str, targets: tuple[str, ...], table: dict[str, Any], asked: Asked) -> Fitted:
    """Fit from a moments file; the folds were fixed when it was made.

    Raises
    ------
    UsageError
        An option that was settled when the moments were made, or a rule that needs rows.
    """
    from elltwo.scale.commands import fit_moments

    given = [name for name in TABLE_OPTIONS if table.get(name)]
    given += ["on_error"] * (table.get("on_error") == "retype")
    if given or table["task"] != "regress":
        raise UsageError(
            f"{flag_of((given or ['task'])[0])} is settled when moments are made: give it to elltwo stats"
        )
    for name, value in ROW_OPTIONS.items():
        if table.get(name) == value:
            flag = flag_of(name) + (f" {value}" if isinstance(value, str) else "")
            raise UsageError(f"{flag} reads rows, and moments keep none: fit the files themselves")
    found = fit_moments(
        data, list(targets) or None, rule=asked.rule, alpha=asked.alpha, standardize=asked.standardize,
        one_se=asked.one_se, drop=table["drop"], recipe=table.get("recipe"),
    )  # fmt: skip
    return facts(found, data, asked)


def facts(found: Any, data: str, asked: Asked) -> Fitted:
    """All facts of a fit made from moments."""
    from elltwo.scale.fits.telling import honest_of
    from elltwo.shrinking.path import shrink

    d = found.design
    lower, upper = intervals(found.rotated, found.solution)
    spread = np.sqrt(np.maximum(d.yy / d.weight - (d.first_y / d.weight) ** 2, 0.0))
    measured = honest_of(found)
    notes = [*found.notes, *filter(None, (measured.because,))]
    if found.selection is not None and found.selection.rule == "loo" and found.honest is None:
        notes.insert(
            0, "the honest error was measured with λ chosen by K-fold inside each part, which costs no pass"
        )
    if asked.rule == "auto" and found.selection is not None and is_moments(data):
        used = "K-fold" if found.selection.rule == "kfold" else found.selection.rule.upper()
        if few_numbers(found.rows, len(found.names)):
            notes.insert(
                0, f"leave-one-out, the default, needs the rows, and only moments were kept: {used} decided"
            )
    loaded = Loaded(found.plan, np.empty((0, len(found.names))), None, None, None, None, data, tuple(notes))
    honest = None if measured.nested is None else worth_of(measured.nested)
    return Fitted(
        loaded=loaded, asked=asked, rows=found.rows, weight=float(d.weight), sd_y=spread, rotated=found.rotated,
        folded=found.folds, selection=found.selection, solution=found.solution, plain=shrink(found.rotated, 0.0),
        means=found.means, scales=found.scales, lower=lower, upper=upper, parts=len(found.folds or ()),
        worth=honest, errors=_errors(found) if honest is None else honest.errors,
        findings=found.findings(), looked=found.looked,
    )  # fmt: skip


def _errors(found: Any) -> Errors:
    """K-fold errors at the chosen λ, at 0 and at ∞; unknown without folds."""
    from elltwo.selecting.kfold import kfold

    t = found.solution.coef.shape[1]
    unknown = np.full(t, np.nan)
    if not found.folds:
        return Errors(unknown, unknown, unknown, unknown)
    at = [kfold(found.folds, np.array([a])) for a in found.solution.alpha]
    fitted = np.sqrt([score.mean[0, j] for j, score in enumerate(at)])
    error = np.array([score.error[0, j] for j, score in enumerate(at)])
    ends = np.sqrt(kfold(found.folds, np.array([0.0, np.inf])).mean)
    return Errors(fitted, ends[0], ends[1], error / np.where(fitted > 0, 2 * fitted, np.inf))
