"""The shell of every page: one self-contained file, strict policy, light and dark, phone, print, screen reader."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Section:
    """One landmark of a page: an id, a heading, and its inside as trusted HTML (escape what comes from data)."""

    id: str
    heading: str
    body: str


def text_of(name: str) -> str:
    """A file of ``templates/``."""
    return (files("elltwo.reporting") / "templates" / name).read_text(encoding="utf-8")


@cache
def environment() -> Any:
    """Jinja with escaping on, and the helpers that templates use."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    from elltwo.reporting import words

    names = ("page.html", "report.html")
    env = Environment(
        loader=DictLoader({name: text_of(name) for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(shown=words.shown, percent=lambda x: words.percent(words.num(x)), whole=words.whole)
    env.filters.update(rule=words.rule_name)
    return env


def digest(text: str) -> str:
    """The hash by which a policy allows exactly this text."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'"


def policy(style: str, script: str | None) -> str:
    """Nothing may be loaded from anywhere, and only this style sheet and this script may act."""
    parts = ["default-src 'none'", f"style-src {digest(style)}", "img-src data:"]
    parts.append(f"script-src {digest(script)}" if script else "script-src 'none'")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def data_block(data: Any) -> str:
    """JSON that cannot end its own script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _program() -> str:
    try:
        return f"elltwo {version('elltwo')}"
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "elltwo"


def render(
    title: str,
    sections: Iterable[Section],
    *,
    lead: str | None = None,
    top: str = "",
    bar: str = "",
    footer: str | None = None,
    script: str | None = None,
    data: Any = None,
) -> str:
    """A whole page as text.

    Parameters
    ----------
    title : heading and window title.
    sections : its landmarks, in order.
    lead : the sentence that comes first.
    top : HTML between the lead and the first section.
    bar : HTML that may stay in view while the page scrolls.
    footer : plain text; by default the program and its version.
    script : JavaScript that runs at the end; allowed by its hash.
    data : what the script reads from ``#page-data``, plain data.
    """
    from markupsafe import Markup

    style = text_of("style.css")
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            lead=lead,
            top=Markup(top),
            bar=Markup(bar),
            sections=[Section(s.id, s.heading, Markup(s.body)) for s in sections],
            footer=footer or f"Made by {_program()}. This file needs no network and sends nothing.",
            style=Markup(style),
            script=None if script is None else Markup(script),
            data=None if data is None else Markup(data_block(data)),
            policy=Markup(policy(style, script)),
        )
    )
