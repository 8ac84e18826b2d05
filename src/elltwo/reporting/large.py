"""The page of a fit by conjugate gradients over a grid of strengths: why this λ, and what it cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from elltwo.diagnosing.groupfits import look_at_large
from elltwo.facts.groupfit import LargeFit
from elltwo.reporting import pieces
from elltwo.reporting.figures import large
from elltwo.reporting.page import Section, render
from elltwo.reporting.words import plain, printable, rule_name, shown
from elltwo.tables.files import atomic_write

FIGURES: pieces.Figures = {
    "criterion": (large.criterion, "Which λ?", "The rule's score at every strength; the least is chosen."),
    "freedom": (
        large.freedom,
        "How flexible is the fit?",
        "Estimated by random probes, without any factorization.",
    ),
    "path": (large.path, "The largest coefficients", "Weak regularization at the left, strong at the right."),
    "work": (large.work, "What each strength cost", "Each starts from the stronger ones, extrapolated."),
    "residual": (large.residuals, "How exactly it was solved", "Gradient at the solution over that at zero."),
}


def collect_large(
    fit: LargeFit, title: str = "Ridge regression of a large design", names: Sequence[str] | None = None
) -> dict[str, Any]:
    """The fit as one plain dict that the page and JSON are made from; scores are averaged over targets."""
    curve = fit.selection.curves[fit.selection.rule]
    alphas = curve.alphas
    wide = float(alphas[-1] / alphas[0]) if alphas.size > 1 else 1.0
    margin = max(wide**0.03, 1.3)
    error = None if curve.error is None else np.sqrt((curve.error**2).mean(axis=1))
    return plain(
        {
            "kind": "elltwo-large",
            "title": title,
            "sentence": fit.selection.sentence,
            "facts": _facts(fit),
            "fit": {"alpha": float(fit.selection.alpha[0])},
            "range": [alphas[0] / margin, alphas[-1] * margin],
            "curve": {
                "alphas": alphas, "score": curve.score.mean(axis=1), "error": error, "unit": curve.unit.split(" (")[0]
            },
            "repeats": _repeats(fit),
            "df": fit.df,
            "df_error": fit.df_error,
            "path": [
                {"name": printable(f"column {c + 1}" if names is None else str(names[c])), "values": values}
                for c, values in zip(fit.columns.tolist(), fit.path.T, strict=True)
            ],
            "steps": fit.steps,
            "residual": fit.residual,
            "tol": fit.tol,
            "findings": [asdict(f) for f in look_at_large(fit)],
            "notes": [],
        }
    )  # fmt: skip


def large_html(report: dict[str, Any]) -> str:
    """The page as text."""
    macros = pieces.macros()

    def drawn(*names: str) -> Any:
        return macros.pair([pieces.figure(report, FIGURES, name) for name in names])

    why = ["criterion", "freedom"] if report["df"] is not None else ["criterion"]
    path = ["path"] if len(report["steps"]) > 1 else []
    sections = [
        Section("choice", "Why this strength?", drawn(*why, *path)),
        Section("facts", "In numbers", pieces.facts_table(report["facts"])),
        Section("work", "What it took", drawn("work", "residual")),
        Section("findings", "What to beware of", macros.findings(report)),
    ]
    return render(report["title"], sections, lead=report["sentence"])


def write_large(
    path: str | os.PathLike[str], fit: LargeFit, title: str, names: Sequence[str] | None = None
) -> None:
    """Write the page whole or not at all.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    atomic_write(path, large_html(collect_large(fit, title, names)))


def _repeats(fit: LargeFit) -> str:
    what = "fold" if fit.selection.rule == "kfold" else "random probe"
    return f"{fit.probes} {what}{'s' * (fit.probes != 1)}"


def _facts(fit: LargeFit) -> list[list[str]]:
    n, p = fit.shape
    s = fit.selection
    low, high = float(s.alpha.min()), float(s.alpha.max())
    rows = [
        ["rows and columns", f"{n:,} × {p:,}"],
        ["numbers stored", f"{fit.stored:,}, {100 * fit.stored / (n * p):.2g} % of all"],
        ["λ", shown(low, 4) if low == high else f"{shown(low, 4)} … {shown(high, 4)}, one per target"],
        [
            "chosen by",
            f"{rule_name(s.rule)}, {_repeats(fit)}",
        ],
        ["strengths looked at", str(fit.steps.size)],
        ["products with the design", f"{int(fit.steps.sum()):,} for the solutions"],
        [
            "largest relative residual",
            f"{shown(float(fit.residual.max()), 2)}, asked for {shown(fit.tol, 2)}",
        ],
    ]
    if fit.df is not None:
        at = int(np.argmin(np.abs(np.log(s.curves[s.rule].alphas / s.alpha[0]))))
        spread = "" if fit.df_error is None else f" ± {shown(float(fit.df_error[at]), 2)}"
        rows.insert(4, ["degrees of freedom", f"{shown(float(fit.df[at]))}{spread}"])
    return rows
