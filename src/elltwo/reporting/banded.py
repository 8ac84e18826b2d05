"""The page of a banded fit: what each group gives, how strongly it is shrunk, and how the strengths were found."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import numpy as np

from elltwo.diagnosing.groupfits import look_at_groups
from elltwo.facts.groupfit import GroupFit
from elltwo.reporting import pieces
from elltwo.reporting.figures import groups
from elltwo.reporting.page import Section, render
from elltwo.reporting.words import num, nums, plain, printable, rule_name, shown
from elltwo.tables.files import atomic_write

FIGURES: pieces.Figures = {
    "shares": (
        groups.shares,
        "What each group gives",
        "The contributions add up to R²; one below 0 takes away.",
    ),
    "strengths": (
        groups.strengths,
        "How strongly each is shrunk",
        "A dot is λ; further right is shrunk more.",
    ),
    "search": (groups.search, "How the strengths were found", "The rule's value, step by step, by gradient."),
}


def collect_banded(fit: GroupFit, title: str = "Banded ridge regression") -> dict[str, Any]:
    """The fit as one plain dict that the page and JSON are made from; the groups that give most come first."""
    given = fit.split if fit.held is None else fit.held
    with np.errstate(invalid="ignore"):
        order = np.argsort(-np.nan_to_num(given.mean(axis=1), nan=0.0), kind="stable")
    return plain(
        {
            "kind": "elltwo-banded",
            "title": title,
            "sentence": _sentence(fit),
            "facts": _facts(fit),
            "groups": [_group(fit, int(g)) for g in order],
            "trace": fit.trace,
            "rule": fit.rule,
            "findings": [asdict(f) for f in look_at_groups(fit)],
            "notes": [],
        }
    )


def banded_html(report: dict[str, Any]) -> str:
    """The page as text."""
    macros = pieces.macros()
    worth = [pieces.figure(report, FIGURES, name) for name in ("shares", "strengths")]
    search = [pieces.figure(report, FIGURES, "search")] if len(report["trace"]) > 1 else []
    sections = [
        Section("groups", "What is each group worth?", str(macros.pair(worth)) + _table(report)),
        Section("facts", "In numbers", pieces.facts_table(report["facts"])),
        *([Section("search", "Why these strengths?", macros.pair(search))] if search else []),
        Section("findings", "What to beware of", macros.findings(report)),
    ]
    return render(report["title"], sections, lead=report["sentence"])


def write_banded(path: str | os.PathLike[str], fit: GroupFit, title: str) -> None:
    """Write the page whole or not at all.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    atomic_write(path, banded_html(collect_banded(fit, title)))


def _group(fit: GroupFit, g: int) -> dict[str, Any]:
    held = None if fit.held is None else float(fit.held[g].mean())
    return {
        "name": printable(fit.names[g]),
        "size": int(fit.sizes[g]),
        "alphas": fit.alphas[g],
        "df": float(fit.df[g].mean()),
        "split": float(fit.split[g].mean()),
        "held": held,
    }


def _sentence(fit: GroupFit) -> str:
    each = "every target by itself" if fit.alphas.shape[1] > 1 else "all targets together"
    whose = f", {each}" if fit.split.shape[1] > 1 else ""
    total = float(fit.split.sum(axis=0).mean())
    held = "" if fit.held is None else f", and {shown(float(fit.held.sum(axis=0).mean()))} on rows held out"
    many = f"{len(fit.names)} groups, a strength each" if len(fit.names) > 1 else "One group and its strength"
    give = f"together they give R² = {shown(total)} on the rows fitted{held}"
    if len(fit.names) == 1:
        give = give.replace("together they give", "it gives")
    return (
        f"{many} by {rule_name(fit.rule)}{whose}: {give if np.isfinite(total) else 'a target does not vary'}."
    )


def _facts(fit: GroupFit) -> list[list[str]]:
    df = float(fit.df.sum(axis=0).mean())
    kind = "kernels" if fit.kernels else "groups of columns"
    return [
        ["rows", f"{fit.rows:,}"],
        [kind, f"{len(fit.names)}" + ("" if fit.kernels else f", {int(fit.sizes.sum()):,} columns")],
        ["targets", f"{fit.split.shape[1]:,}"],
        ["strengths", "one per group and target" if fit.alphas.shape[1] > 1 else "one per group"],
        ["chosen by", rule_name(fit.rule)],
        ["least value of the rule", shown(float(fit.trace[-1]), 6) if fit.trace.size else "–"],
        ["evaluations of the rule and its gradient", str(fit.evaluations)],
        ["degrees of freedom, beside the intercept", f"{shown(df)} of {fit.rows:,} rows"],
    ]


def _table(report: dict[str, Any]) -> str:
    held = any(g["held"] is not None for g in report["groups"])
    heads = ["Group", "Columns", "λ", "Degrees of freedom", "Of R², fitted"] + ["Of R², held out"] * held
    rows = [
        [
            g["name"], f"{g['size']:,}" if g["size"] else "kernel", _range(g["alphas"]), shown(g["df"]),
            shown(g["split"]), *([shown(g["held"])] * held),
        ]
        for g in report["groups"]
    ]  # fmt: skip
    return pieces.number_table(heads, rows, "Groups")


def _range(alphas: list[Any]) -> str:
    values = nums(alphas)
    low, high = num(float(values.min())), num(float(values.max()))
    return shown(low) if low == high else f"{shown(low)} … {shown(high)}"
