"""A decay plan as one self-contained HTML file: no network, no script, light and dark."""

from __future__ import annotations

import os
from pathlib import Path

from jinja2 import Environment, PackageLoader

from elltwo.errors import InputError
from elltwo.facts.decayplan import DecayPlan

_MARKS = {"proven": "yes, proven", "approximate": "nearly", "no": "no", "unknown": "not known"}


def render_page(plan: DecayPlan) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("elltwo.decay.planning", "pages"), autoescape=True, trim_blocks=True
    )
    roles = dict.fromkeys(r.role for r in plan)
    share = [
        {
            "role": role,
            "tensors": sum(r.role == role for r in plan),
            "decayed": sum(r.role == role and r.strength > 0 for r in plan),
            "numel": sum(r.numel for r in plan if r.role == role),
        }
        for role in roles
    ]
    reasons = list(dict.fromkeys(r.reason for r in plan))
    return environment.get_template("plan.html").render(plan=plan, share=share, reasons=reasons, marks=_MARKS)


def write_page(plan: DecayPlan, path: str | os.PathLike[str]) -> None:
    """Write the page: to a temporary file first, then renamed."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(render_page(plan), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"cannot write the page to {path}: {error.strerror}; choose another place"
        ) from error
