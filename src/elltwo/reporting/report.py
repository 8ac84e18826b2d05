"""The page of a fit: sections in the order in which a reader asks."""

from __future__ import annotations

import os
from typing import Any

from elltwo.errors import DataError
from elltwo.reporting import figures
from elltwo.reporting.figures.intervals import MOST
from elltwo.reporting.figures.svg import to_svg
from elltwo.reporting.page import Section, environment, render, text_of
from elltwo.reporting.words import num, shown
from elltwo.tables.files import atomic_write

CAPTIONS = {
    "selection": ("Which λ?", "Every rule's verdict on each strength; dots mark what each would choose."),
    "path": (
        "What happens to the coefficients",
        "Each line is a column; to the right all are pulled toward 0.",
    ),
    "shrinkage": (
        "What is kept of each direction",
        "Strong directions pass; weak ones are damped.",
    ),
    "bias_variance": ("The bargain", "Some bias is accepted for less variance; estimated from these rows."),
    "geometry": (
        "Where the sphere meets the contours",
        "Error contours around the unregularized answer; the ball is all that λ leaves room for.",
    ),
    "coefficients": ("Coefficients", "Effects of one standard deviation of each column, the largest first."),
}

ROW_CAPTIONS = {
    "residuals": ("What is left over", "Each point is a row, predicted by a fit without it."),
    "leverages": ("Who draws the fit", "A row far to the right decides much of its own prediction."),
}


def html(report: dict[str, Any]) -> str:
    """The report as one self-contained HTML page.

    Raises
    ------
    DataError : the dict is no report, or one that was damaged on its way (a model file may come from anywhere).
    """
    from jinja2 import TemplateError

    if report.get("kind") != "elltwo-report":
        raise DataError(
            "this is not a report: make one with elltwo.reporting.collect, or `elltwo fit --report`"
        )
    try:
        return _page(report)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, TemplateError) as error:
        raise DataError(f"this report is damaged ({error!r}): fit again to make a new one") from error


def _page(report: dict[str, Any]) -> str:
    macros = environment().get_template("report.html").module
    drawn = {name: _figure(report, name) for name in CAPTIONS}
    sections = [
        Section("error", "How well does it predict?", macros.error(report)),
        Section("choice", "How strong is the regularization?", macros.strengths(report)),
        Section(
            "curves", "Why this strength?", macros.legend() + macros.pair([drawn["selection"], drawn["path"]])
        ),
        Section(
            "inside",
            "What does it do?",
            macros.pair([drawn["shrinkage"], drawn["bias_variance"]]) + macros.directions(report),
        ),
        Section("columns", "Which columns matter?", macros.coefficients(report, drawn["coefficients"])),
        *_rows(report, macros),
        Section("picture", "The picture behind it", macros.pair([drawn["geometry"], _words(report)])),
        Section("findings", "What to beware of", macros.findings(report)),
        Section("data", "The data", macros.plan(report)),
        Section("reproduce", "How to reproduce it", macros.reproduce(report)),
    ]
    data = {
        **report["slider"],
        "geometry": report["geometry"],
        "drawn": [row["index"] for row in report["coefficients"]["rows"][:MOST]],
    }
    return render(
        report["title"],
        sections,
        lead=report["sentence"],
        top=macros.top(report),
        bar=macros.bar(report),
        script=text_of("slider.js"),
        data=data,
    )


def write_html(report: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the page whole or not at all.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    atomic_write(path, html(report))


def _figure(report: dict[str, Any], name: str) -> dict[str, Any]:
    from markupsafe import Markup

    title, caption = (CAPTIONS | ROW_CAPTIONS)[name]
    figure = getattr(figures, name)(report)
    return {
        "title": title,
        "caption": caption,
        "svg": Markup(to_svg(figure, name, title, _seen(report, name))),
    }


def _seen(report: dict[str, Any], name: str) -> str:
    """What a figure shows, for a reader who cannot see it."""
    alpha = shown(report["fit"]["alpha"])
    if name == "selection":
        return (
            f"λ by rule: {', '.join(f'{r} {shown(a)}' for r, a in report['selection']['choices'].items())}."
        )
    if name == "path":
        names = ", ".join(c["name"] for c in report["path"]["columns"][:5])
        return f"Effects over λ; the largest at the chosen λ = {alpha}: {names}."
    if name == "shrinkage":
        f = [num(v) for v in report["shrinkage"]["factors"]] or [0.0]
        return f"Shares kept of {len(f)} directions at λ = {alpha}, from {shown(max(f))} down to {shown(min(f))}."
    if name == "bias_variance":
        return f"Estimated squared bias rises and variance falls with λ; the chosen λ is {alpha}."
    if name in ROW_CAPTIONS:
        return f"{len(report['rows']['number'])} rows; the findings name those that stand out."
    if name == "coefficients":
        listed = ", ".join(f"{r['name']} {shown(r['effect'])}" for r in report["coefficients"]["rows"][:5])
        return f"The largest effects: {listed}. All are in the table."
    return "Ellipses of equal error around the unregularized answer, a circle around 0, touching at the chosen λ."


def _rows(report: dict[str, Any], macros: Any) -> list[Section]:
    """The section about rows, where some were kept."""
    from markupsafe import Markup

    rows = report.get("rows")
    if not rows:
        return []
    shown_rows, every = len(rows["number"]), int(rows["of"])
    what = (
        "All rows are shown."
        if shown_rows == every
        else f"{shown_rows:,} of {every:,} rows are shown: a random sample, and the rows of largest leverage or error."
    )
    note = Markup('<p class="note">{}</p>').format(what)
    body = macros.pair([_figure(report, name) for name in ROW_CAPTIONS]) + note
    return [Section("rows", "Which rows stand out?", body)]


def _words(report: dict[str, Any]) -> dict[str, Any]:
    """Beside the sphere: what the picture says."""
    from markupsafe import Markup

    return {
        "title": "How to read it",
        "caption": "",
        "svg": Markup(
            "<p>Ridge regression looks for the smallest squared error among coefficients no longer than a radius. "
            "The ellipses join coefficients with the same squared error; the orange dot is the unregularized answer, "
            "at their centre. The blue ball holds the coefficients that the chosen λ allows, and the answer is where "
            "the ball first touches an ellipse.</p><p>A long, flat ellipse means that the rows say little about that "
            "direction: the answer can move far along it at almost no cost, and regularization moves it most there.</p>"
            "<p>Move λ with the slider: the ball shrinks to nothing as λ grows, and reaches the orange dot at 0.</p>"
        ),
    }
