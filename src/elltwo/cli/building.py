"""A fit turned into what is kept: the model as plain data, the report's facts, the JSON result."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo import __version__
from elltwo.cli.console import plain
from elltwo.cli.fitting import Fitted, outputs_of
from elltwo.facts.model import FittedModel, FittedOutput
from elltwo.facts.strength import Strength


def _floats(values: np.ndarray | None) -> tuple[float, ...]:
    return () if values is None else tuple(np.asarray(values, dtype=float).tolist())


def _column(values: np.ndarray | None, t: int) -> np.ndarray | None:
    return None if values is None else values[:, t]


def output_names(fitted: Fitted) -> tuple[str, ...]:
    """The name of every output: a target, or the class that a positive score means."""
    return outputs_of(fitted.loaded.plan, fitted.solution.coef.shape[1])


def output_name(fitted: Fitted, t: int) -> str:
    """The name of one output."""
    return output_names(fitted)[t]


def _output(fitted: Fitted, t: int) -> FittedOutput:
    s = fitted.solution
    return FittedOutput(
        name=output_name(fitted, t),
        intercept=float(s.intercept[t]),
        coef=_floats(s.coef[:, t]),
        standardized=_floats(s.coef[:, t] * fitted.scales),
        unregularized=_floats(fitted.plain.coef[:, t]),
        lower=_floats(_column(fitted.lower, t)),
        upper=_floats(_column(fitted.upper, t)),
        alpha=float(s.alpha[t]),
        df=float(s.df[t]),
        noise_variance=float(s.sigma2[t]),
    )


def scores(fitted: Fitted) -> dict[str, float]:
    """Held-out errors by name; with several outputs the name ends in the output's."""
    out: dict[str, float] = {}
    count = fitted.solution.coef.shape[1]
    e = fitted.errors
    for t in range(count):
        tail = f" {output_name(fitted, t)}" if count > 1 else ""
        out[f"rmse{tail}"] = float(e.fitted[t])
        out[f"rmse_standard_error{tail}"] = float(e.spread[t])
        out[f"rmse_unregularized{tail}"] = float(e.plain[t])
        out[f"rmse_mean{tail}"] = float(e.mean[t])
        out[f"r2{tail}"] = float(1 - (e.fitted[t] / e.mean[t]) ** 2) if e.mean[t] > 0 else float("nan")
    return out


def build_model(fitted: Fitted, how: dict[str, str], report: dict[str, Any] | None = None) -> FittedModel:
    """Everything to keep, as plain data."""
    s, asked, loaded = fitted.solution, fitted.asked, fitted.loaded
    origin = fitted.rotated.spectrum.origin
    noise = float(s.sigma2[0])
    strength = Strength(
        float(s.alpha[0]),
        columns="standardized" if asked.standardize else "raw",
        n=fitted.weight,
        sd_y=float(fitted.sd_y[0]),
        noise_variance=noise if np.isfinite(noise) else None,
    )
    choices = {} if fitted.selection is None else fitted.selection.choices
    return FittedModel(
        plan=loaded.plan,
        outputs=tuple(_output(fitted, t) for t in range(s.coef.shape[1])),
        means=_floats(fitted.means),
        scales=_floats(fitted.scales),
        standardize=asked.standardize,
        strength=strength,
        rule="given" if fitted.selection is None else fitted.selection.rule,
        scores=scores(fitted),
        choices={rule: float(alpha[0]) for rule, alpha in choices.items()},
        findings=fitted.findings,
        how={"factorization": origin.method, "because": origin.reason, **how},
        rows=fitted.rows,
        version=__version__,
        report=plain(report or {}),
    )


def result_dict(fitted: Fitted, model: FittedModel) -> dict[str, Any]:
    """What ``elltwo fit --json`` prints."""
    from elltwo.cli.lookback import rows_as_data
    from elltwo.facts.model_json import model_to_dict

    data = model_to_dict(model)
    data.pop("report")
    data["notes"] = list(fitted.loaded.notes)
    if fitted.looked is not None:
        data["rows_looked_at"] = rows_as_data(fitted.looked)
    return data
