"""λ without a run: the schedule's timescale, or the size that weights settle at."""

from __future__ import annotations

from typing import Any

from elltwo.decay.recipes.run import TrainingRun
from elltwo.decay.tuning.result import TunedDecay, positive
from elltwo.errors import ConversionError

__all__ = ["by_norm", "by_timescale"]

_UNIT = 1e-6  # λ is linear in what is asked, so a small one is asked about


def by_timescale(
    *,
    timescales: float = 1.0,
    tau_epochs: float | None = None,
    lr: float,
    batch: float,
    samples: float,
    **run: Any,
) -> TunedDecay:
    """λ with Σ_t η_t λ = ``timescales`` over the run, or whose timescale at the peak is ``tau_epochs``.

    ``run``: ``epochs``, ``schedule``, ``warmup``, ``final``, ``optimizer``, ``momentum`` as in :class:`~elltwo.Recipe`.
    Source: Wang & Aitchison, arXiv:2405.13698: the best τ in epochs stays over data and model size, between one
    epoch and the run.
    """
    positive("timescales", timescales)
    one = TrainingRun(lr=lr, batch=batch, samples=samples, weight_decay=_UNIT, **run)
    if one.rate is None or one.rate == 0:
        raise ConversionError(
            one.answers.notes[0] if one.rate is None else f"{one.row.name} has no weight decay"
        )
    if tau_epochs is not None:
        chosen = _UNIT / (positive("tau_epochs", tau_epochs) * one.steps_per_epoch * one.rate)
        what = f"the timescale at the peak is {tau_epochs:g} epochs, as given"
    else:
        chosen = _UNIT * timescales / float(one.answers.effective_decay or 0.0)
        what = f"decay over the whole schedule, Σ η_t λ, is {timescales:g} timescale(s)"
    tau = _UNIT / (chosen * one.rate)
    said = (
        f"No run: {what}; τ = {tau:,.0f} steps = {tau / one.steps_per_epoch:.3g} epochs at the peak, in a run of "
        f"{one.steps:,} steps (Wang & Aitchison, arXiv:2405.13698).",
        "Beware: one timescale per run is a convention that served on small problems with noisy labels; pass "
        "tau_epochs of a run that you tuned, or check it with the pilot.",
    )
    return TunedDecay(chosen, "timescale", (), 0.0, said)


def by_norm(*, lr: float, rms: float) -> TunedDecay:
    """λ whose AdamW equilibrium has entries of root mean square ``rms``."""
    positive("lr", lr)
    positive("rms", rms)
    said = (
        "No run: λ = η/(2 rms²) (elltwo.laws.decay_equilibrium.equilibrium_norm_adamw).",
        "Beware: an order of magnitude, for AdamW with updates uncorrelated over time; watch it with Monitor.",
    )
    return TunedDecay(lr / (2.0 * rms**2), "norm", (), 0.0, said)
