"""Rows of a batch as rows of the design: one-hot columns, values for gaps, flags, columns made from columns."""

from __future__ import annotations

import numpy as np

from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns.batches import Batch
from elltwo.tables.columns.derived import derived_values
from elltwo.tables.columns.values import MISSING, UNSEEN


def expand(batch: Batch, plan: TablePlan, out: np.ndarray) -> None:
    """Write the design rows of a batch into ``out`` (n, p): one-hot columns, values for gaps, flags, made columns."""
    number = code = at = 0
    for column in plan.used:
        width = len(column.features)
        block = out[:, at : at + width]
        if column.kind == "category":
            _one_hot(batch.codes[:, code], column, block)
            code += 1
        else:
            span = slice(number, number + len(column.numbers))
            _numbers(batch, span, column, block)
            number = span.stop
        at += width
    _made(batch, plan, out[:, at:])


def _made(batch: Batch, plan: TablePlan, block: np.ndarray) -> None:
    """Columns made from columns, with their training means where they are missing."""
    at, names = 0, plan.number_names
    for d in plan.derived:
        for row, mean in zip(
            derived_values(d, lambda name: batch.numbers[:, names.index(name)]), d.impute, strict=True
        ):
            block[:, at] = np.where(np.isnan(row), mean, row)
            at += 1


def _numbers(batch: Batch, span: slice, column: ColumnPlan, block: np.ndarray) -> None:
    k = len(column.numbers)
    block[:, :k] = batch.numbers[:, span]
    absent = None if batch.missing is None else batch.missing[:, span]
    if absent is not None and absent.any():
        np.copyto(block[:, :k], np.asarray(column.impute), where=absent)
    if column.flagged:
        block[:, k] = 0.0 if absent is None else absent.any(axis=1)


def _one_hot(codes: np.ndarray, column: ColumnPlan, block: np.ndarray) -> None:
    """Level i of the plan goes to its place among the shown levels; the reference, unseen and missing stay 0."""
    block[:] = 0.0
    shown = {level: i for i, level in enumerate(column.shown_levels)}
    # One entry per code, then two for the codes -2 (unseen) and -1 (missing), which index from the end.
    place = np.array([shown.get(column.counts_as(level), -1) for level in column.levels] + [-1, -1])
    if column.other:
        place[UNSEEN] = len(shown)
    if column.flagged:
        place[MISSING] = len(shown) + column.other
    elif column.missing_as is not None:
        place[MISSING] = shown.get(column.missing_as, -1)
    hot = place[codes]
    rows = np.flatnonzero(hot >= 0)
    block[rows, hot[rows]] = 1.0
