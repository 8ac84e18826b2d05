"""The page of a fit whose unknowns are no columns of a table: a reconstruction, or a kernel machine."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from elltwo.diagnosing import View
from elltwo.diagnosing.choice import CHECKS
from elltwo.facts.finding import Finding
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.reporting import pieces
from elltwo.reporting.collect import for_figure
from elltwo.reporting.figures import spectral
from elltwo.reporting.page import Section, render
from elltwo.reporting.words import plain, shown
from elltwo.shrinking.picard import l_curve, picard
from elltwo.tables.files import atomic_write

LARGEST = 256  # points of a solution's axis that are drawn

FIGURES = {
    "selection": (spectral.selection, "Which λ?", "Every rule's verdict on each strength."),
    "l_curve": (spectral.l_curve, "Fit against size", "Below and left is better; the corner is the bargain."),
    "picard": (
        spectral.picard,
        "Can the data say it?",
        "Where |uᵀb| sinks into the noise, data say no more.",
    ),
    "filters": (
        spectral.filters,
        "What is kept of each direction",
        "Strong directions pass; weak ones are damped.",
    ),
    "solution": (spectral.solution, "The solution", "Every unknown, in order."),
}


def collect_spectral(
    *,
    rotated: Rotated,
    solution: Solution,
    selection: Selection,
    title: str,
    noise: float,
    facts: Sequence[tuple[str, str]] = (),
    findings: Sequence[Finding] | None = None,
    answer: np.ndarray | None = None,
) -> dict[str, Any]:
    """The first target's fit as one plain dict that the page and JSON are made from.

    Parameters
    ----------
    rotated, solution, selection : the facts of the fit.
    title : of the page. noise : standard deviation of each datum.
    facts : further rows (name, text) of the table.
    findings : by default what `elltwo.diagnosing.choice` says about the choice of λ.
    answer : (n,) or (h, w), the unknowns to draw; None draws none.
    """
    alpha = float(solution.alpha[0])
    found = choice_findings(rotated, solution, selection) if findings is None else findings
    spectrum = rotated.spectrum
    curve = for_figure("selection", rotated=rotated, solution=solution, selection=selection)
    speaks = bool(np.any(rotated.z[:, 0]))  # else there is no direction, or the data are zero
    report = {
        "kind": "elltwo-spectral",
        "title": title,
        "sentence": selection.sentence,
        "facts": [list(row) for row in (*_facts(rotated, solution, selection, noise), *facts)],
        "findings": [asdict(f) for f in found],
        "notes": [],
        "picard": {**asdict(picard(rotated, alpha, noise)), "bins": spectrum.binned} if speaks else None,
        "l_curve": asdict(l_curve(rotated, alpha)) if speaks else None,
        "solution": None if answer is None else _thinned(answer),
    }
    return {**curve, **plain(report)}


def choice_findings(rotated: Rotated, solution: Solution, selection: Selection) -> list[Finding]:
    """What `elltwo.diagnosing.choice` says about the choice of λ, for the first target."""
    view = View.of(rotated, solution, selection)
    return [f for check in CHECKS for f in check.look(view)]


def spectral_html(report: dict[str, Any]) -> str:
    """The page as text."""
    macros = pieces.macros()
    names = [n for n in FIGURES if report.get(n) is not None or (n == "filters" and report["picard"])]
    drawn = {name: _figure(report, name) for name in names}
    result = [drawn.pop("solution")] if "solution" in drawn else []
    sections = [
        *([Section("result", "What came out", macros.pair(result))] if result else []),
        Section("facts", "In numbers", pieces.facts_table(report["facts"])),
        Section("curves", "Why this strength?", macros.pair(list(drawn.values()))),
        Section("findings", "What to beware of", macros.findings(report)),
    ]
    return render(report["title"], sections, lead=report["sentence"])


def write_spectral(path: str | os.PathLike[str], **facts: Any) -> None:
    """Write the page whole or not at all; the facts are those of `collect_spectral`.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    atomic_write(path, spectral_html(collect_spectral(**facts)))


def _facts(r: Rotated, solution: Solution, selection: Selection, noise: float) -> list[tuple[str, str]]:
    alpha, origin = float(solution.alpha[0]), r.spectrum.origin
    others = [f"{n} {shown(float(a[0]))}" for n, a in selection.choices.items() if n != selection.rule]
    return [
        ("strength on the axes, beside ‖L(x − x0)‖²", shown(alpha, 4)),
        ("its root, beside L itself", shown(float(np.sqrt(alpha)), 4)),
        ("chosen by", selection.rule),
        ("other rules would choose, on the axes", ", ".join(others) or "none was asked"),
        ("degrees of freedom", f"{shown(float(solution.df[0]))} of {r.spectrum.shape[0]} data"),
        ("noise of each datum", shown(noise)),
        ("misfit", shown(float(np.sqrt(solution.rss[0])))),
        ("size of the solution", shown(float(solution.norm[0]))),
        ("made by", f"{origin.method}: {origin.reason}"),
        *(("note", note) for note in solution.notes),
    ]


def _thinned(answer: np.ndarray) -> Any:
    """At most LARGEST points along each axis, by picking."""
    steps = tuple(slice(None, None, -(-n // LARGEST)) for n in answer.shape)
    return np.asarray(answer, dtype=float)[steps].tolist()


def _figure(report: dict[str, Any], name: str) -> dict[str, Any]:
    from markupsafe import Markup

    _, title, caption = FIGURES[name]
    if name == "solution" and np.ndim(report[name]) == 2:
        return {
            "title": title,
            "caption": caption,
            "svg": Markup(_picture(np.asarray(report[name], dtype=float))),
        }
    return pieces.figure(report, FIGURES, name)


def _picture(values: np.ndarray) -> str:
    """Grey levels from the least to the largest value, as an image of the page's own."""
    from PIL import Image

    low, high = float(values.min()), float(values.max())
    levels = np.uint8(255 * (values - low) / ((high - low) or 1.0))
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    alt = f"The solution as a picture, black at {shown(low)} and white at {shown(high)}."
    return f'<img alt="{alt}" width="384" src="data:image/png;base64,{data}">'
