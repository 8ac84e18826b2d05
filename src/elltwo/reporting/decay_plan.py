"""The page of a decay plan: which tensors decay, how strongly, and why. From plain data, no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence

from elltwo.facts.decayplan import DecayPlan, PlanRow
from elltwo.reporting.page import Section, render
from elltwo.tables.files import atomic_write

__all__ = ["plan_html", "write_plan"]

_INVARIANT = {"proven": "yes", "approximate": "nearly", "no": "no", "unknown": "not known"}


def plan_html(plan: DecayPlan) -> str:
    """The plan as one self-contained page, in the look of the main report."""
    reasons = list(dict.fromkeys(r.reason for r in plan))
    sections = [
        Section("roles", "What the tensors do", _roles(plan)),
        Section("why", "Why", _why(plan, reasons)),
        Section("tensors", "Tensor by tensor", _tensors(plan, reasons)),
    ]
    if plan.notes:
        sections.insert(0, Section("notes", "What was not seen", _notes(plan.notes)))
    title = f"Decay plan of {plan.model or 'a model'}"
    return render(title, sections, lead=_lead(plan), top=_tiles(plan))


def write_plan(plan: DecayPlan, path: str | os.PathLike[str]) -> None:
    """Write the page of a plan, whole or not at all.

    Raises
    ------
    OutputError
        If the page cannot be written.
    """
    atomic_write(path, plan_html(plan))


def _lead(plan: DecayPlan) -> str:
    strengths = sorted({r.strength for r in plan.decayed})
    value = " or ".join(f"{s:g}" for s in strengths[:3]) if len(strengths) < 4 else "several strengths"
    how = f"weight decay {value}" if strengths else "no weight decay at all"
    return f"{len(plan.decayed)} of {len(plan)} tensors get {how}, by the policy {plan.policy!r}."


def _tiles(plan: DecayPlan) -> str:
    from markupsafe import escape

    total = max(sum(r.numel for r in plan), 1)
    decayed = sum(r.numel for r in plan.decayed)
    proven, nearly = (sum(r.scale_invariant == s for r in plan) for s in ("proven", "approximate"))
    dead = sum(r.dead is True for r in plan)
    tiles = (
        ("Decayed", f"{decayed:,}", f"parameters in {len(plan.decayed)} tensors"),
        ("Spared", f"{total - decayed:,}", f"parameters in {len(plan.spared)} tensors"),
        ("Scale-invariant", str(proven), f"tensors, proven; {nearly} more nearly"),
        ("Dead", str(dead), "tensors without any effect"),
    )
    cells = "".join(
        f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _notes(notes: Sequence[str]) -> str:
    from markupsafe import escape

    return "".join(f'<div class="finding warning"><p>{escape(n)}</p></div>' for n in notes)


def _roles(plan: DecayPlan) -> str:
    from markupsafe import escape

    roles: dict[str, list[PlanRow]] = {}
    for row in plan:
        roles.setdefault(row.role, []).append(row)
    lines = []
    for role, rows in sorted(roles.items(), key=lambda item: -sum(r.numel for r in item[1])):
        decayed = sum(r.strength > 0 for r in rows)
        share = "all" if decayed == len(rows) else "none" if not decayed else str(decayed)
        lines.append(
            f'<tr><th scope="row">{escape(role)}</th><td class="num">{len(rows)}</td>'
            f'<td class="num">{sum(r.numel for r in rows):,}</td><td class="num">{share}</td></tr>'
        )
    heads = ("tensors", "parameters", "decayed")
    return _table("Roles", "Role", heads, lines)


def _why(plan: DecayPlan, reasons: Sequence[str]) -> str:
    from markupsafe import escape

    items = []
    for place, reason in enumerate(reasons, 1):
        rows = [r for r in plan if r.reason == reason]
        strength = ", ".join(dict.fromkeys(f"{r.strength:g}" for r in rows))
        count = f"{len(rows)} tensor" + ("" if len(rows) == 1 else "s")
        items.append(
            f'<li id="why-{place}">{escape(reason)} <span class="note">{count}, weight decay {strength}.</span></li>'
        )
    return f"<ol>{''.join(items)}</ol>"


def _tensors(plan: DecayPlan, reasons: Sequence[str]) -> str:
    number = {reason: place for place, reason in enumerate(reasons, 1)}
    lines = [_line(row, number[row.reason]) for row in plan]
    return _table("Tensors", "Tensor", ("decay", "why", "role", "scale-invariant", "residual"), lines)


def _line(row: PlanRow, why: int) -> str:
    from markupsafe import escape

    about = ["×".join(map(str, row.shape)) or "scalar"]
    about += [f"{row.op} ({row.slot})" if row.slot else row.op] if row.op else []
    about += [f"= {name}" for name in row.aliases]
    invariant = "dead" if row.dead else _INVARIANT[row.scale_invariant]
    if row.invariant_rows and row.scale_invariant == "no":
        invariant += f", but {row.invariant_rows} of {row.live_rows} output units are"
    residual = "–" if row.residual is None else f"{row.residual:.0e}"
    cells = "".join(f'<td class="num">{c}</td>' for c in (escape(row.role), invariant, residual))
    return (
        f'<tr><th scope="row"><code>{escape(row.name)}</code><small>{escape("; ".join(about))}</small></th>'
        f'<td class="num{" live" if row.strength else ""}">{row.strength:g}</td>'
        f'<td class="num"><a href="#why-{why}">{why}</a></td>{cells}</tr>'
    )


def _table(label: str, first: str, heads: Sequence[str], lines: Sequence[str]) -> str:
    head = "".join(f'<th scope="col" class="num">{h}</th>' for h in heads)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>'
        f'<thead><tr><th scope="col">{first}</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )
