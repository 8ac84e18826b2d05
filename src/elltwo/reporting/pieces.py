"""What small pages are put together from: a figure with its caption, a table, the path of a λ axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from elltwo.reporting.figures.svg import to_svg
from elltwo.reporting.page import environment

Figures = dict[str, tuple[Callable[[dict[str, Any]], Any], str, str]]  # name -> drawing, title, caption


def macros() -> Any:
    """The macros of the report's template."""
    return environment().get_template("report.html").module


def figure(report: dict[str, Any], figures: Figures, name: str) -> dict[str, Any]:
    """One figure as the macro ``pair`` takes it."""
    from markupsafe import Markup

    draw, title, caption = figures[name]
    return {"title": title, "caption": caption, "svg": Markup(to_svg(draw(report), name, title, caption))}


def facts_table(rows: Sequence[Sequence[str]], label: str = "Facts") -> str:
    """Names and their values."""
    from markupsafe import escape

    body = "".join(f'<tr><th scope="row">{escape(a)}</th><td>{escape(b)}</td></tr>' for a, b in rows)
    return _scrolling(f"<tbody>{body}</tbody>", label)


def number_table(heads: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """One line per thing, its name first, numbers to the right."""
    from markupsafe import escape

    first, *others = heads
    head = f'<th scope="col">{escape(first)}</th>' + "".join(
        f'<th scope="col" class="num">{escape(h)}</th>' for h in others
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f'<td class="num">{escape(v)}</td>' for v in row[1:])
        + "</tr>"
        for row in rows
    )
    return _scrolling(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", label)


def _scrolling(inside: str, label: str) -> str:
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>{inside}</table></div>'
    )
