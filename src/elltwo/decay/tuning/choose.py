"""One call for λ: :func:`tune_weight_decay`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from elltwo.decay.tuning.result import TunedDecay
from elltwo.errors import UsageError, unknown_option

__all__ = ["METHODS", "tune_weight_decay"]

_HERE = "elltwo.decay.tuning"
#: method -> module and function; those that need torch load it when used
METHODS: dict[str, tuple[str, str]] = {
    "timescale": (f"{_HERE}.rules", "by_timescale"),
    "norm": (f"{_HERE}.rules", "by_norm"),
    "evidence": (f"{_HERE}.evidence", "by_evidence"),
    "marginal": (f"{_HERE}.marginal", "by_marginal"),
    "hypergradient": (f"{_HERE}.hypergradient", "by_hypergradient"),
    "bracket": (f"{_HERE}.sweep", "by_bracket"),
    "pilot": (f"{_HERE}.sweep", "by_pilot"),
    "grid": (f"{_HERE}.sweep", "by_grid"),
}
_TRAINED = ("bracket", "pilot", "grid")


def tune_weight_decay(
    train: Callable[[float, int], float] | None = None, *, method: str | None = None, **options: Any
) -> TunedDecay:
    """Choose λ by one of :data:`METHODS`; never silently inert: the result says what was done and what it cost.

    Parameters
    ----------
    train : callable, for ``"bracket"``, ``"pilot"`` and ``"grid"``
        ``train(weight_decay, rows)`` trains on that many rows (same learning rate, batch and epochs) and returns
        the validation loss.
    method : str, optional
        ``"pilot"`` where ``train`` is given and ``"timescale"`` where not, unless said.

        - ``"timescale"`` (no run): Σ_t η_t λ = 1 over the schedule, or a known ``tau_epochs``. Options ``lr``,
          ``batch``, ``samples``, ``epochs``, ``schedule`` … as in :class:`elltwo.Recipe`.
        - ``"norm"`` (no run): λ = η/(2 rms²), whose AdamW equilibrium has entries of that size. Options ``lr``,
          ``rms``.
        - ``"evidence"`` (no run): the exact marginal likelihood of the last layer as ridge on its inputs; λ for the
          head alone, coupled, on torch's mean squared error. Options ``features`` (n, p), ``targets`` (n,) or (n, t).
        - ``"marginal"`` (about 1.3 runs): layerwise Laplace evidence of a classifier, coupled λ per linear and
          convolution layer. Options ``model``, ``batches``, ``samples``, ``lr``, ``epochs``, ``plan``.
        - ``"hypergradient"`` (2 runs): Newton's step in log λ of the validation loss after a run. Options ``model``,
          ``batches``, ``validation``, ``steps``, ``lr``, ``start``, ``plan``, ``optimizer``, ``momentum``, ``rounds``.
        - ``"bracket"`` (3 runs): full runs at ``start`` (the timescale's λ, say), at twice it, and on downhill.
          Options ``samples``, ``start``, ``factor``, ``runs``.
        - ``"pilot"``: sweeps λ on ``share`` of the ``samples`` (1/8), with λ larger by 1/share, and carries the
          best by λ ∝ 1/N (Wang & Aitchison, arXiv:2405.13698). Options ``samples``, ``grid``, ``share``.
        - ``"grid"``: sweeps at full size. Options ``samples``, ``grid``.

    Raises
    ------
    UsageError, InputError
        For an unknown method or option, or when every run fails to give a finite loss.
    """
    if method is None:
        method = "timescale" if train is None else "pilot"
    if method not in METHODS:
        raise unknown_option("method", method, METHODS)
    if method in _TRAINED:
        if not callable(train):
            raise UsageError(f"method {method!r} needs train(weight_decay, rows) -> validation loss")
        options["train"] = train
    elif train is not None:
        raise UsageError(
            f"method {method!r} trains nothing by train(...): leave it out, or use 'bracket', 'pilot' or 'grid'"
        )
    module, name = METHODS[method]
    try:
        chosen: TunedDecay = getattr(import_module(module), name)(**options)
        return chosen
    except TypeError as error:
        if f"{name}() " not in str(error) and "__init__() " not in str(error):
            raise
        raise UsageError(f"tune_weight_decay, method {method!r}: {str(error).split('() ')[-1]}") from error
