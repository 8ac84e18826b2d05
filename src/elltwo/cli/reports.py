"""The report's facts of a fit, and the page made from those that a model file kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.cli.building import output_name, output_names
from elltwo.cli.fitting import Fitted
from elltwo.cli.lookback import row_sample
from elltwo.errors import DataError, ElltwoError
from elltwo.facts.model import FittedModel
from elltwo.selecting.nested import Nested

if TYPE_CHECKING:
    from elltwo.reporting.parts.error import Classes


def collected(fitted: Fitted, command: str) -> dict[str, Any]:
    """The dict that the report is printed from, of the first target."""
    from elltwo.reporting import collect

    plan, names, classes = fitted.loaded.plan, output_names(fitted), right_classes(fitted)
    design = fitted.loaded.design
    ways = ", rows of one group together" if plan.group else ""
    ways = f", the column {plan.fold_column}" if plan.fold_column else ways
    info = {
        "source": fitted.loaded.name, "sd_y": float(fitted.sd_y[0]), "weights": plan.weights,
        "folds": f"{fitted.parts} folds{ways}",
    }  # fmt: skip
    return collect(
        rotated=fitted.rotated, solution=fitted.solution, selection=fitted.selection, names=plan.feature_names,
        target=names[0] if classes is None else f"the score of {names[0]}",
        title=None if classes is None else f"Ridge classification of {plan.targets[0].name}",
        folds=fitted.folded, nested=_nested(fitted), plan=plan.to_dict(),
        findings=fitted.findings if len(names) == 1 else None, reproduce=command, standardize=fitted.asked.standardize,
        problem_info=info, targets=names, classes=classes, notes=fitted.loaded.notes,
        numbers=None if design is None else design.rows + 1, rows=row_sample(fitted) if classes is None else None,
    )  # fmt: skip


def _nested(fitted: Fitted) -> Nested | None:
    """The honest errors as squares, as the report reads them."""
    if fitted.worth is None:
        return None
    e = fitted.errors
    return Nested(
        error=e.fitted**2, baseline=e.mean**2, plain=e.plain**2, standard_error=2 * e.fitted * e.spread,
        alphas=fitted.worth.alphas,
    )  # fmt: skip


def right_classes(fitted: Fitted) -> Classes | None:
    """Shares of held-out rows whose class was predicted right; None where numbers are predicted."""
    from elltwo.reporting.parts.error import Classes

    plan, labels = fitted.loaded.plan, fitted.loaded.labels
    if plan.task != "classify" or fitted.worth is None or fitted.worth.predictions is None:
        return None
    classes, h = np.asarray(plan.targets[0].levels), fitted.worth.predictions

    def right(scores: np.ndarray) -> float:
        index = (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return float(np.average(classes[index] == labels, weights=fitted.loaded.weights))

    return Classes(
        tuple(classes.tolist()), output_name(fitted, 0), right(h.fitted), right(h.plain), right(h.mean)
    )


def write_report(model: FittedModel, path: str) -> None:
    """The HTML page of a model.

    Raises
    ------
    DataError
        The model file was written without the report's facts, or they are damaged.
    OutputError
        The place cannot be written.
    """
    from jinja2 import TemplateError

    from elltwo.reporting import write_html

    if not model.report:
        raise DataError(
            "this model was saved without the facts of a report: fit again with --report FILE.html"
        )
    try:
        write_html(model.report, path)
    except ElltwoError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, TemplateError) as error:
        raise DataError(
            f"the report's facts in this model file are damaged ({type(error).__name__}: {error}); fit again"
        ) from None
