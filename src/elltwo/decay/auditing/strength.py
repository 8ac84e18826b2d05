"""Does the number do anything in this run, and does it mean here what was meant?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from elltwo.decay.auditing.entries import Entry, Setup
from elltwo.facts.finding import Finding

INERT_SHRINK = 0.05  # a run that shrinks weights by less than this in all is a run without decay
LONG_AGO = 1e6  # steps; without a known run length, no run is expected to be longer
FORGETS = 100.0  # steps; without a known epoch
_ADAPTIVE = ("Adam", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop")


def shrink_per_step(entry: Entry) -> float | None:
    """Share of a weight that one step removes, or None where the convention has no such number."""
    eta, lam = entry.lr, entry.weight_decay
    adaptive = entry.meaning is not None and entry.meaning.name.removeprefix("torch.") in _ADAPTIVE
    if entry.unit == "per-lr" or (entry.unit == "gradient" and not adaptive):
        return eta * lam
    return {"per-step": lam, "per-schedule": lam, "lr-squared": eta * eta * lam}.get(entry.unit)


def _once_per_group(setup: Setup) -> Iterator[Entry]:
    seen = set()
    for e in setup.entries:
        if e.group not in seen and e.weight_decay > 0:
            seen.add(e.group)
            yield e


def timescale(setup: Setup) -> Iterator[Finding]:
    """tau = 1/(eta lambda) against the run (Wang & Aitchison 2025, arXiv:2405.13698) and the epoch."""
    for e in _once_per_group(setup):
        rate = shrink_per_step(e)
        if rate is None or rate <= 0:
            continue
        yield from _too_large(setup, e, rate)
        if setup.steps is not None:
            total = 1 - math.exp(-rate * setup.steps)
            inert, number, limit = total < INERT_SHRINK, total, INERT_SHRINK
            said = f"{setup.steps} steps shrink a weight by {100 * total:.2g} % in all"
        else:
            inert, number, limit = 1 / rate > LONG_AGO, 1 / rate, LONG_AGO
            said = f"its time constant is {1 / rate:.2g} steps"
        if inert:
            yield Finding(
                "decay-inert",
                "warning",
                number,
                limit,
                f"In {e.group}, lr {e.lr:g} and weight_decay {e.weight_decay:g} do nothing: {said}.",
                f"For a time constant of a tenth of the run, set weight_decay near {_suggest(setup, e, rate):.2g}.",
            )


def _too_large(setup: Setup, e: Entry, rate: float) -> Iterator[Finding]:
    tau = 1 / rate
    limit = float(setup.steps_per_epoch or FORGETS)
    if rate >= 1:
        yield Finding(
            "decay-destroys",
            "error",
            rate,
            1.0,
            f"In {e.group} one step removes {100 * rate:.3g} % of every weight.",
            f"Lower weight_decay {e.weight_decay:g} or lr {e.lr:g}: their product must stay far below 1.",
        )
    elif tau < limit:
        what = "one epoch" if setup.steps_per_epoch else f"{FORGETS:g} steps"
        yield Finding(
            "decay-forgets",
            "warning",
            tau,
            limit,
            f"In {e.group}, lr {e.lr:g} and weight_decay {e.weight_decay:g} forget: updates fade within "
            f"{tau:.3g} steps, less than {what}.",
            "Lower weight_decay: a time constant of many epochs is usual.",
        )


def _suggest(setup: Setup, e: Entry, rate: float) -> float:
    return e.weight_decay / rate * 10 / (setup.steps or 1e5)


def convention(setup: Setup) -> Iterator[Finding]:
    """Coupled L2 in an adaptive optimizer, and numbers of coupled size in a decoupled one."""
    for e in _once_per_group(setup):
        kind = "" if e.meaning is None else e.meaning.name.removeprefix("torch.")
        if kind in _ADAPTIVE and e.unit == "gradient":
            yield Finding(
                "coupled-in-adaptive",
                "warning",
                e.weight_decay,
                0,
                f"{kind} adds weight_decay {e.weight_decay:g} to the gradient and then divides it by the gradient's "
                f"size ({e.group}): tensors with large gradients hardly decay.",
                "If decoupled decay was meant, use AdamW (or decoupled_weight_decay=True) and tune the number again.",
            )
        elif e.unit == "per-lr" and kind not in ("", "SGD") and 0 < e.weight_decay <= 1e-3:
            yield Finding(
                "coupled-size-in-decoupled",
                "warning",
                e.weight_decay,
                1e-3,
                f"{kind} multiplies weight_decay {e.weight_decay:g} by the learning rate ({e.group}): the number is of "
                "the size that coupled L2 uses, and is weak here.",
                "Decoupled decay is usually 0.01 to 0.1 and more; see elltwo.Recipe for what it does in your run.",
            )


def recompiled(setup: Setup) -> Iterator[Finding]:
    """A float that changes makes a compiled step compile again at every change."""
    floats = [e for e in _once_per_group(setup) if not e.tensor_valued]
    if setup.compiled and floats:
        yield Finding(
            "float-decay-recompiles",
            "warning",
            len(floats),
            0,
            f"The optimizer's step is compiled and {len(floats)} groups hold weight_decay as a Python float: every "
            "change of it compiles again.",
            "Use plan.groups(lr=..., number=torch.tensor) and change the value with .fill_().",
        )


STRENGTH_CHECKS = (timescale, convention, recompiled)
