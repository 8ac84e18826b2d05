"""A linear model as a sum of one term per table column: what every export is written from.

    prediction = intercept + sum over columns of term(value)

A number or boolean contributes slope * value, a date the sum of slope * part, a category one number per
level; a missing value contributes one number per column, an unseen level another.
"""

from __future__ import annotations

from dataclasses import dataclass

from elltwo.errors import UsageError
from elltwo.facts.model import FittedModel, FittedOutput
from elltwo.facts.plan import ColumnPlan


@dataclass(frozen=True)
class Term:
    """What one column of the table adds to the prediction.

    Parameters
    ----------
    column : str
    kind : {"number", "boolean", "category", "date"}
    slopes : dict of str to float
        Per part: ``{"": slope}`` for a number or boolean, ``{"year": ...}`` for a date.
    levels : dict of str to float
        Per level of a category, the reference level included (0).
    missing : float
        For a missing value.
    unseen : float
        For a level that training did not know.
    """

    column: str
    kind: str
    slopes: dict[str, float]
    levels: dict[str, float]
    missing: float
    unseen: float


def terms(model: FittedModel, output: FittedOutput) -> tuple[Term, ...]:
    """The terms of one output, in table order.

    Raises
    ------
    UsageError
        A model with columns made from columns: those are no sum over the table's columns.
    """
    if model.plan.derived:
        made = model.plan.derived[0].names[0]
        raise UsageError(
            f"this model has columns made from columns ({made}), which this format cannot say: predict with "
            f"`elltwo predict`, or with `elltwo.load_model` in Python"
        )
    coef = dict(zip(model.features, output.coef, strict=True))
    return tuple(_term(column, coef) for column in model.plan.used)


def _term(column: ColumnPlan, coef: dict[str, float]) -> Term:
    flag = coef[f"{column.name} missing"] if column.flagged else 0.0
    if column.kind == "category":
        unseen = coef[f"{column.name}=(other)"] if column.other else 0.0
        levels = {v: coef.get(f"{column.name}={column.counts_as(v)}", 0.0) for v in column.levels}
        flag = flag if column.missing_as is None else levels[column.missing_as]
        return Term(column.name, column.kind, {}, levels, flag, unseen)
    parts = column.parts if column.kind == "date" else ("",)
    slopes = {part: coef[name] for part, name in zip(parts, column.numbers, strict=True)}
    means = column.impute or (0.0,) * len(parts)
    filled = sum(slope * mean for slope, mean in zip(slopes.values(), means, strict=True))
    return Term(column.name, column.kind, slopes, {}, flag + filled, 0.0)
