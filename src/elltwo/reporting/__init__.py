"""Facts of a fit, as one plain dict, as figures, as a page, as JSON.

    report = collect(rotated=rotated, selection=selection, solution=solution, names=names, target="y")
    write_html(report, "report.html")            # one self-contained file, written whole or not at all
    figure = figures.path(report)                # a matplotlib Figure; no pyplot state is touched
    text = to_json(report)

``collect`` takes facts, never estimators, and returns lists, dicts, numbers, texts and None alone.
Everything that is shown, in any medium, is in that dict: a figure that needs a new number gets one
more field there. ``page.render(title, sections)`` is the shell that other wings use for their pages.

| door | makes |
|---|---|
| ``collect(*, rotated, solution, selection, names, target, folds, nested, plan, findings, reproduce, …)`` | the dict |
| ``figures.path / selection / shrinkage / geometry / bias_variance / coefficients (report)`` | a matplotlib Figure |
| ``write_html(report, path)``, ``html(report)`` | the page |
| ``to_json(report)``, ``from_json(text)`` | exact both ways |
| ``page.render(title, sections)`` | any page in the same look |
"""

from __future__ import annotations

from elltwo.reporting.collect import collect
from elltwo.reporting.json import from_json, to_json
from elltwo.reporting.report import html, write_html

__all__ = ["collect", "from_json", "html", "to_json", "write_html"]
