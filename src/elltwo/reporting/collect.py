"""Facts of a fit, as one plain dict that every medium is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from elltwo.diagnosing import View, look
from elltwo.errors import unknown_option
from elltwo.facts.finding import Finding
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import Spectrum
from elltwo.reporting.parts import coefficients, curves, directions, slider
from elltwo.reporting.parts.error import Classes, ErrorRule, error_rule, honest_error, prediction_error
from elltwo.reporting.parts.rows import RowSample, row_points
from elltwo.reporting.parts.sentence import sentence
from elltwo.reporting.parts.strengths import strengths
from elltwo.reporting.words import plain
from elltwo.selecting.nested import Nested

VERSION = 1


def collect(
    *,
    rotated: Rotated,
    solution: Solution,
    selection: Selection | None = None,
    spectrum: Spectrum | None = None,
    names: Sequence[str] | None = None,
    target: str = "the target",
    problem_info: Mapping[str, Any] | None = None,
    folds: list[Fold] | None = None,
    nested: Nested | None = None,
    plan: Mapping[str, Any] | None = None,
    findings: Sequence[Finding] | None = None,
    reproduce: str | None = None,
    standardize: bool = False,
    which: int = 0,
    title: str | None = None,
    targets: Sequence[str] = (),
    classes: Classes | None = None,
    notes: Sequence[str] = (),
    numbers: np.ndarray | None = None,
    rows: RowSample | None = None,
) -> dict[str, Any]:
    """Everything that a report of one target says, in numbers, texts, lists and dicts.

    The fit: min Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖L(x − x0)‖² at λ = ``solution.alpha[which]``.

    Parameters
    ----------
    rotated, solution : the facts of the fit.
    selection : how λ was chosen; None when it was given.
    spectrum : ignored when equal to ``rotated.spectrum``, which is the one that is used.
    names : p column names.
    target : name of the target.
    problem_info : what the facts do not know, all optional: ``source`` (file or table), ``sd_y`` (1/n),
        ``weights`` (name of the weights column), ``folds`` (how folds were made, in words).
    folds : training folds; the prediction error is then the K-fold one.
    nested : the honest error of the whole procedure.
    plan : the column plan, ``TablePlan.to_dict()``.
    findings : those to show; by default what `elltwo.diagnosing` finds.
    reproduce : a command or program that makes the same fit.
    standardize : is the penalty on standardized columns?
    which : which of several targets.
    title : of the page.
    targets : names of all targets, where the page should compare them.
    classes : for a classifier, how often it is right.
    notes : sentences about the table, shown with the findings.
    numbers : (n,) number of each row in its table, from 1, for the findings.
    rows : some rows with their residuals and leverages, to be drawn.

    Returns
    -------
    dict
        Finite numbers, texts, lists, dicts and None alone; nan is None, ±∞ are "inf" and "-inf".
    """
    del spectrum  # accepted so that callers may pass all facts by name
    view = View.of(rotated, solution, selection, names, target, which, numbers)
    info = dict(problem_info or {})
    alphas = curves.axis(view)
    rule = error_rule(view, folds)
    found = look(view) if findings is None else findings
    table = coefficients.table(view)
    error = prediction_error(view, rule, nested)
    error["classes"] = None if classes is None else asdict(classes)
    report: dict[str, Any] = {
        "kind": "elltwo-report",
        "version": VERSION,
        "title": title or f"Ridge regression of {target}",
        "targets": _targets(view, targets, nested),
        "target": target,
        "sentence": sentence(view, error, table, found),
        "data": _data(view, info),
        "fit": _fit(view, standardize),
        "error": error,
        "strengths": strengths(view, _sd_y(view, info), standardize),
        "coefficients": table,
        **_drawn(view, rule, alphas),
        "findings": [asdict(f) for f in found],
        "notes": list(notes),
        "plan": None if plan is None else dict(plan),
        "rows": row_points(rows),
        "reproduce": reproduce,
        "slider": slider.payload(view, alphas, rule, [row["index"] for row in table["rows"]]),
    }
    report["range"] = [alphas[0], alphas[-1]]
    return plain(report)


def _drawn(view: View, rule: ErrorRule, alphas: np.ndarray) -> dict[str, Any]:
    """What the figures are drawn from, but for the coefficients, which are a table too."""
    return {
        "selection": curves.selection_curves(view, rule, alphas),
        "path": coefficients.path_lines(view, alphas),
        "shrinkage": directions.shrinkage(view),
        "bias_variance": curves.bias_variance(view, alphas),
        "geometry": directions.geometry(view),
    }


def for_figure(
    figure: str,
    *,
    rotated: Rotated,
    solution: Solution,
    selection: Selection | None = None,
    names: Sequence[str] | None = None,
    target: str = "the target",
    folds: list[Fold] | None = None,
    which: int = 0,
) -> dict[str, Any]:
    """The part of the report that one figure reads, without the work of the others.

    ``figure`` is a name in `elltwo.reporting.figures`; the rest is as in `collect`.
    """
    view = View.of(rotated, solution, selection, names, target, which)
    alphas = curves.axis(view)
    makers: dict[str, Callable[[], Any]] = {
        "path": lambda: coefficients.path_lines(view, alphas),
        "selection": lambda: curves.selection_curves(view, error_rule(view, folds), alphas),
        "shrinkage": lambda: directions.shrinkage(view),
        "geometry": lambda: directions.geometry(view),
        "bias_variance": lambda: curves.bias_variance(view, alphas),
        "coefficients": lambda: coefficients.table(view),
    }
    if figure not in makers:
        raise unknown_option("figure", figure, makers)
    facts = {"fit": {"alpha": view.alpha}, "target": target, "range": [alphas[0], alphas[-1]]}
    return plain(facts | {figure: makers[figure]()})


def _data(view: View, info: dict[str, Any]) -> dict[str, Any]:
    spectrum = view.rotated.spectrum
    return {
        "rows": view.rows,
        "columns": view.columns,
        "targets": view.rotated.targets,
        "weight": spectrum.weight,
        "weighted": spectrum.root is not None or spectrum.weight != view.rows,
        "source": info.get("source"),
        "weights": info.get("weights"),
        "folds": info.get("folds"),
        "sd_y": _sd_y(view, info),
    }


def _targets(view: View, names: Sequence[str], nested: Nested | None) -> list[dict[str, Any]]:
    """λ, degrees of freedom and the honest error of every target, where there are several."""
    rows = []
    for j, name in enumerate(names if len(names) > 1 else ()):
        honest = {} if nested is None else honest_error(nested, j)
        rows.append(
            {
                "name": name, "here": j == view.which, "alpha": view.solution.alpha[j], "df": view.solution.df[j],
                "rmse": honest.get("rmse"), "r2": honest.get("r2"),
            }
        )  # fmt: skip
    return rows


def _sd_y(view: View, info: dict[str, Any]) -> float:
    if info.get("sd_y") is not None:
        return float(info["sd_y"])
    r, j = view.rotated, view.which
    return float(np.sqrt((r.total[j] + np.sum(r.free[:, j] ** 2)) / r.spectrum.weight))


def _fit(view: View, standardize: bool) -> dict[str, Any]:
    spectrum, solution, j = view.rotated.spectrum, view.solution, view.which
    return {
        "alpha": view.alpha,
        "rule": view.selection.rule if view.selection is not None else None,
        "df": solution.df[j],
        "df_none": view.df(0.0),
        "intercept": solution.intercept[j] if spectrum.free.intercept else None,
        "norm": solution.norm[j],
        "rss": solution.rss[j],
        "sigma": float(np.sqrt(solution.sigma2[j])),
        "digits": solution.digits,
        "method": spectrum.origin.method,
        "reason": spectrum.origin.reason,
        "notes": list(solution.notes),
        "condition_before": float(np.sqrt(spectrum.condition(0.0))),
        "condition_after": float(np.sqrt(spectrum.condition(view.alpha))) if np.isfinite(view.alpha) else 1.0,
        "free": spectrum.free.rank,
        "directions": spectrum.directions,
        "dropped": spectrum.dropped,
        "standardize": standardize,
    }
