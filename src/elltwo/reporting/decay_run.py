"""The page of a training run: what weight decay did, measured beside predicted. From a DecayLog, no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from elltwo.decay.monitoring.findings import log_findings
from elltwo.errors import InputError
from elltwo.facts.decaylog import DecayLog
from elltwo.reporting.decay_figures import FIGURES
from elltwo.reporting.figures.svg import to_svg
from elltwo.reporting.page import Section, environment, render
from elltwo.reporting.words import plain, shown
from elltwo.tables.files import atomic_write

__all__ = ["collect_run", "monitor_report", "run_html"]

MOST = 60
_COLUMNS = ("norm", "grad_norm", "rotation", "predicted_rotation", "decay_share", "stable_rank")


def collect_run(log: DecayLog) -> dict[str, Any]:
    """A run as one plain dict: what the page and JSON are made from.

    Raises
    ------
    InputError
        If the log has no measurement yet.
    """
    if not any("tensors" in r for r in log):
        raise InputError(
            "this log holds no measurement yet: take at least one sampled step before the report"
        )
    invariant = [n for n, about in log.header["tensors"].items() if about["scale_invariant"] == "proven"]
    data = {
        "optimizer": log.header["optimizer"],
        "every": log.header["every"],
        "steps": log.last_step + 1,
        "samples": sum("tensors" in r for r in log),
        "weight_decay": dict(log.header["weight_decay"]),
        "invariant": invariant,
        "rotation": {
            "measured": _medians(log, invariant, "rotation"),
            "predicted": _medians(log, invariant, "predicted_rotation"),
        },
        "growth": {n: _relative(log, n) for n in _largest(log)},
        "gradient": _medians(log, invariant or list(log.names), "grad_norm"),
        "share": _medians(log, list(log.names), "decay_share"),
        "losses": {k: _pairs(log.scalar(k)) for k in ("train_loss", "val_loss")},
        "tensors": [_row(log, n) for n in log.names],
        "findings": [vars(f) for f in log_findings(log)],
        "notes": [],
    }
    result: dict[str, Any] = plain({**data, "sentence": _sentence(data)})
    return result


def _medians(log: DecayLog, names: Sequence[str], metric: str) -> dict[str, list[int] | list[float]]:
    """Per step the median over tensors; where they take turns, each counts with its latest value."""
    held = [series for series in (log.series(n, metric) for n in names) if len(series[0])]
    reach = int(log.header.get("turns", 1)) * int(log.header["every"])
    steps = sorted({int(step) for series in held for step in series[0]})
    by_step: dict[int, list[float]] = {step: [] for step in steps}
    for known, values in held:
        last = np.searchsorted(known, steps, side="right") - 1
        for step, at in zip(steps, last, strict=True):
            if at >= 0 and step - known[at] < reach:
                by_step[step].append(float(values[at]))
    return {"steps": steps, "values": [float(np.median(by_step[s])) for s in steps]}


def _pairs(series: tuple[Any, Any]) -> dict[str, list[int] | list[float]]:
    return {"steps": [int(s) for s in series[0]], "values": [float(v) for v in series[1]]}


def _largest(log: DecayLog) -> list[str]:
    # Weights; biases start near zero, so that a ratio says nothing.
    tensors = log.header["tensors"].items()
    matrices = {n: about for n, about in tensors if len(about["shape"]) > 1} or dict(tensors)
    shapes = {n: int(np.prod(about["shape"])) for n, about in matrices.items()}
    return sorted(shapes, key=lambda n: -shapes[n])[:8]


def _relative(log: DecayLog, name: str) -> dict[str, list[int] | list[float]]:
    steps, norm = log.series(name, "norm")
    first = norm[0] if len(norm) and norm[0] > 0 else 1.0
    return _pairs((steps, norm / first))


def _row(log: DecayLog, name: str) -> dict[str, Any]:
    about = log.header["tensors"][name]
    last = {m: v[-1] if len(v) else None for m in _COLUMNS for v in [log.series(name, m)[1]]}
    return {"name": name, "role": about["role"], "invariant": about["scale_invariant"], **last}


def _sentence(data: dict[str, Any]) -> str:
    law = ", ".join(data["optimizer"]["laws"]) or (
        "decoupled" if data["optimizer"]["decoupled"] else "coupled"
    )
    strongest = max(data["weight_decay"].values(), default=0.0)
    head = f"{data['optimizer']['class']} with {law} weight decay {strongest:g} ran {data['steps']:,} steps"
    ratio = _late_ratio(data["rotation"])
    if ratio is None:
        return f"{head}; no tensor has a predicted rotation."
    count = len(data["invariant"])
    subject = (
        "its scale-invariant tensor turns" if count == 1 else f"its {count} scale-invariant tensors turn"
    )
    pace = f"{ratio:.2g}"
    return f"{head}; {subject} {'as fast' if pace == '1' else f'{pace} times as fast'} as at equilibrium."


def _late_ratio(rotation: dict[str, Any]) -> float | None:
    """Measured over predicted rotation at the last five samples before the learning rate dies away.

    Below a third of the largest prediction, equilibrium recedes faster than weights can follow.
    """
    at = dict(zip(rotation["predicted"]["steps"], rotation["predicted"]["values"], strict=True))
    measured = dict(zip(rotation["measured"]["steps"], rotation["measured"]["values"], strict=True))
    alive = [step for step, value in at.items() if step in measured and value >= max(at.values()) / 3][-5:]
    return float(np.median([measured[s] / at[s] for s in alive])) if alive else None


def run_html(run: dict[str, Any]) -> str:
    """The run as one self-contained page, in the look of the main report."""
    macros = environment().get_template("report.html").module
    drawn = [_figure(run, name) for name in FIGURES]
    sections = [
        Section("findings", "What to beware of", macros.findings(run)),
        Section("figures", "Measured beside predicted", macros.pair(drawn)),
        Section("tensors", "Tensor by tensor, at the last sample", _table(run)),
    ]
    return render("What weight decay did", sections, lead=run["sentence"], top=_tiles(run))


def monitor_report(log: DecayLog | str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Write the page of a run: from a log (``monitor.records``) or from its JSONL file.

    Raises
    ------
    DataError, InputError
        If the log cannot be read, or holds no measurement.
    OutputError
        If the page cannot be written.
    """
    records = log if isinstance(log, DecayLog) else DecayLog.load(log)
    atomic_write(path, run_html(collect_run(records)))


def _figure(run: dict[str, Any], name: str) -> dict[str, Any]:
    from markupsafe import Markup

    draw, title, caption = FIGURES[name]
    return {"title": title, "caption": caption, "svg": Markup(to_svg(draw(run), name, title, caption))}


def _tiles(run: dict[str, Any]) -> str:
    from markupsafe import escape

    late = _late_ratio(run["rotation"])
    ratio = "–" if late is None else shown(late)
    tiles = (
        ("Steps", f"{run['steps']:,}", f"{run['samples']} measured, one in {run['every']}"),
        ("Tensors", str(len(run["tensors"])), f"{len(run['invariant'])} proven scale-invariant"),
        ("Rotation", ratio, "measured over predicted, late in the run"),
        ("Share of decay", _last(run["share"]), "of the update, median tensor"),
    )
    cells = "".join(
        f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _last(series: dict[str, list[int] | list[float]]) -> str:
    return f"{100 * series['values'][-1]:.2g} %" if series["values"] else "–"


def _table(run: dict[str, Any]) -> str:
    from markupsafe import escape

    heads = ("norm", "gradient", "rotation", "predicted", "decay share", "stable rank")
    head = "".join(f'<th scope="col" class="num">{h}</th>' for h in heads)
    lines = []
    for row in run["tensors"][:MOST]:
        about = row["role"] or "role unknown"
        about += {"proven": "; scale-invariant", "approximate": "; nearly scale-invariant"}.get(
            row["invariant"], ""
        )
        cells = "".join(
            f'<td class="num">{"–" if row[c] is None else escape(shown(row[c]))}</td>' for c in _COLUMNS
        )
        lines.append(
            f'<tr><th scope="row">{escape(row["name"])}<small>{escape(about)}</small></th>{cells}</tr>'
        )
    rest = len(run["tensors"]) - len(lines)
    note = f'<p class="note">{rest} more tensors are in the log.</p>' if rest > 0 else ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Tensors"><table>'
        "<caption>Rotations are in radians per step.</caption>"
        f'<thead><tr><th scope="col">Tensor</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{note}"
    )
