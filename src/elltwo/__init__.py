"""elltwo: L2 regularization in every form.

After one factorization, everything L2 does is a shrink factor on each direction. This package is
the door: names are listed here and load on first use, so that ``import elltwo`` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# name -> module that defines it
_WINGS: dict[str, str] = {
    "tune_weight_decay": "elltwo.decay.tuning.choose",
    "monitor_report": "elltwo.reporting.decay_run",
    "apply_decay": "elltwo.decay.forms.apply",
    "Recipe": "elltwo.decay.recipes.recipe",
    "Monitor": "elltwo.decay.monitoring.monitor",
    "reconstruct": "elltwo.inverse",
    "Ridge": "elltwo.estimators.ridge",
    "RidgeCV": "elltwo.estimators.ridge_cv",
    "RidgeClassifier": "elltwo.estimators.ridge_classifier",
    "RidgeClassifierCV": "elltwo.estimators.ridge_classifier_cv",
    "KernelRidge": "elltwo.estimators.kernel",
    "KernelRidgeCV": "elltwo.estimators.kernel_cv",
    "BandedRidgeCV": "elltwo.estimators.banded",
    "SparseRidgeCV": "elltwo.estimators.large",
    "explain": "elltwo.estimators.explaining",
    "DecayPlan": "elltwo.facts.decayplan",
    "decay_plan": "elltwo.decay.planning.plan",
    "audit": "elltwo.decay.auditing",
    "symmetries": "elltwo.decay.symmetry.find",
    "rebalance": "elltwo.decay.symmetry.rebalance",
    "couple": "elltwo.decay.symmetry.trunk_heads",
    "Strength": "elltwo.facts.strength",
    "convert": "elltwo.laws.converting",
    "load_model": "elltwo.reporting.export",
    "save_model": "elltwo.reporting.export",
}

__all__ = ["__version__", *_WINGS]


def __getattr__(name: str) -> Any:
    if name in _WINGS:
        value = getattr(import_module(_WINGS[name]), name)
        globals()[name] = value
        return value
    try:
        return import_module(f"elltwo.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"elltwo.{name}":
            raise
    raise AttributeError(f"module 'elltwo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
