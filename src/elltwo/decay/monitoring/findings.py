"""What a decay log shows that a person should know. Reads facts only; no torch."""

from __future__ import annotations

import numpy as np

from elltwo.facts.decaylog import DecayLog
from elltwo.facts.finding import Finding

__all__ = ["log_findings", "opened_gap"]

_GAP = 0.02
_TURNS = 3
_FAR = 1.25
_ALIVE = 0.1
_NEGLIGIBLE = 0.1
_GROWTH = 1.3
_COLLAPSE = 1e-6
_UNBALANCED = 0.2
_ONE_SIDED = 0.999


def opened_gap(log: DecayLog) -> Finding | None:
    """Validation loss above its best by 2 % at the last three entries, while training loss is below its value then."""
    steps, val = log.scalar("val_loss")
    train_steps, train = log.scalar("train_loss")
    if len(val) <= _TURNS or len(train) == 0:
        return None
    best = int(np.argmin(val))
    excess = val[-_TURNS:].min() / val[best] - 1.0 if val[best] > 0 else 0.0
    then = train[int(np.searchsorted(train_steps, steps[best], side="right")) - 1]
    if best >= len(val) - _TURNS or excess <= _GAP or train[-1] >= then:
        return None
    return Finding(
        "gap-opened",
        "warning",
        float(excess),
        _GAP,
        f"Validation loss was best at step {int(steps[best])} ({val[best]:.4g}) and is {100 * excess:.1f} % above it, "
        f"while training loss fell from {then:.4g} to {train[-1]:.4g}: the network is fitting noise.",
        "Raise weight_decay (elltwo.Recipe tells what it means in this run), stop earlier, or add data.",
    )


def log_findings(log: DecayLog) -> tuple[Finding, ...]:
    """All findings of a run, the most severe first."""
    found = [
        opened_gap(log),
        _negligible(log),
        _collapsed(log),
        _not_in_equilibrium(log),
        _gradient_growth(log),
    ]
    found += _unbalanced(log)
    kept = [f for f in found if f is not None]
    return tuple(sorted(kept, key=lambda f: ("error", "warning", "info").index(f.severity)))


def _negligible(log: DecayLog) -> Finding | None:
    most, decayed = 0.0, False
    for name in log.names:
        steps, rate = log.series(name, "rate")
        if len(steps):
            decayed = True
            reach = np.diff(np.append(steps, log.last_step + 1))
            most = max(most, float(rate @ reach))
    if not decayed or most >= _NEGLIGIBLE or log.last_step < 100:
        return None
    return Finding(
        "decay-negligible",
        "warning",
        most,
        _NEGLIGIBLE,
        f"Over these {log.last_step + 1} steps, decay alone removed at most {100 * most:.2g} % of a weight: "
        "it did nothing.",
        "Raise weight_decay until lr × weight_decay × steps is about 1 or more, or set it to 0 and say so.",
    )


def _collapsed(log: DecayLog) -> Finding | None:
    for name in log.names:
        _, norm = log.series(name, "norm")
        if len(norm) > 1 and norm[0] > 0 and norm[-1] < _COLLAPSE * norm[0]:
            return Finding(
                "weights-collapsed",
                "error",
                float(norm[-1] / norm[0]),
                _COLLAPSE,
                f"{name} shrank to {norm[-1] / norm[0]:.1e} of its first norm: decay outran the gradient.",
                "Lower weight_decay there; if it feeds a norm whose gain is decayed, take the gain out of decay.",
            )
    return None


def _not_in_equilibrium(log: DecayLog) -> Finding | None:
    waiting = [(*state, name) for name in log.names if (state := _distance(log, name)) is not None]
    if not waiting:
        return None
    steps, ratio, name = max(waiting)
    count = f"{len(waiting)} tensor{'s' if len(waiting) > 1 else ''}"
    return Finding(
        "not-in-equilibrium",
        "info",
        ratio,
        _FAR,
        f"Not yet in equilibrium: about {steps:,.0f} steps to go ({count}; {name} turns {ratio:.2g} "
        "times as fast as it will).",
        "Read rotations and norms as a transient; a larger lr × weight_decay gets there sooner.",
    )


def _distance(log: DecayLog, name: str) -> tuple[float, float] | None:
    """Steps to go and measured over predicted rotation, where they differ; None in equilibrium or without a law.

    Read off the last three samples at a tenth of the largest rate or more: as the rate goes to zero, equilibrium
    moves away faster than any weight can follow, and nothing is to be said of it.
    """
    keys = ("rate", "rotation", "predicted_rotation", "steps_to_go")
    series = [dict(zip(*log.series(name, key), strict=True)) for key in keys]
    steps = sorted(set(series[0]).intersection(*series[1:]))
    top = max(series[0].values(), default=0.0)
    last = [step for step in steps if series[0][step] >= _ALIVE * top][-3:]
    if len(last) < 3:
        return None
    _, measured, predicted, togo = (float(np.median([values[s] for s in last])) for values in series)
    ratio = measured / predicted
    return None if 1 / _FAR < ratio < _FAR else (togo, ratio)


def _gradient_growth(log: DecayLog) -> Finding | None:
    worst = ("", 0.0)
    for name, about in log.header.get("tensors", {}).items():
        _, g = log.series(name, "grad_norm")
        _, rate = log.series(name, "rate")
        if about.get("scale_invariant") != "proven" or len(g) < 20 or len(rate) < 20:
            continue
        middle, late = np.median(g[len(g) // 3 : len(g) // 2]), np.median(g[-max(len(g) // 20, 2) :])
        if rate[-1] < 0.3 * rate.max() and middle > 0 and late / middle > worst[1]:
            worst = (name, float(late / middle))
    if worst[1] <= _GROWTH:
        return None
    return Finding(
        "late-gradient-growth",
        "warning",
        worst[1],
        _GROWTH,
        f"As the learning rate fell, the gradient of {worst[0]} grew {worst[1]:.2g} times: its norm shrank, as "
        "theory says.",
        "Use corrected decay on scale-invariant weights: apply_decay(optimizer, 'corrected', plan).",
    )


def _unbalanced(log: DecayLog) -> list[Finding]:
    last: dict[str, float | None] = next(
        (r["balance"] for r in reversed(log.records) if r.get("balance")), {}
    )
    far = {s: v for s, v in last.items() if v is not None and abs(v) > _UNBALANCED}
    return [_one_sided(s, v) if abs(v) > _ONE_SIDED else _not_stationary(s, v) for s, v in far.items()]


def _one_sided(symmetry: str, value: float) -> Finding:
    return Finding(
        "one-sided-decay",
        "info",
        value,
        _ONE_SIDED,
        f"Along {symmetry} decay acts on one side alone: that side shrinks, the other grows, and the output stays.",
        "Usual where a gain is not decayed; if the gain drifts far, decay both sides or rebalance(model, batch).",
    )


def _not_stationary(symmetry: str, value: float) -> Finding:
    return Finding(
        "unbalanced",
        "info",
        value,
        _UNBALANCED,
        f"Along {symmetry} the balance residual is {value:+.2f}: the run is not stationary along this symmetry.",
        "Train longer than 1/(lr × weight_decay), or rebalance(model, batch) to start from the balanced point.",
    )
