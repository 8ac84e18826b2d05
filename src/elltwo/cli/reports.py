"""The report's facts of a fit, and the page made from those that a model file kept."""

from __future__ import annotations

from typing import Any

from elltwo.cli.fitting import Fitted
from elltwo.errors import DataError, ElltwoError
from elltwo.facts.model import FittedModel


def collected(fitted: Fitted, command: str) -> dict[str, Any]:
    """The dict that the report is printed from, of the first target."""
    from elltwo.reporting import collect
    from elltwo.selecting.nested import Nested

    e, plan = fitted.errors, fitted.loaded.plan
    nested = None
    if fitted.worth is not None:
        spread = 2 * e.fitted * e.spread
        nested = Nested(
            error=e.fitted**2, baseline=e.mean**2, standard_error=spread, alphas=fitted.worth.alphas
        )
    ways = ", rows of one group together" if plan.group else ""
    ways = f", the column {plan.fold_column}" if plan.fold_column else ways
    info = {
        "source": fitted.loaded.name, "sd_y": float(fitted.sd_y[0]), "weights": plan.weights,
        "folds": f"{fitted.parts} folds{ways}",
    }  # fmt: skip
    return collect(
        rotated=fitted.rotated, solution=fitted.solution, selection=fitted.selection, names=plan.feature_names,
        target=plan.targets[0].name, folds=fitted.folded, nested=nested, plan=plan.to_dict(),
        findings=fitted.findings, reproduce=command, standardize=fitted.asked.standardize,
        problem_info=info,
    )  # fmt: skip


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
