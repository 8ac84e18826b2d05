"""The labs by name."""

from __future__ import annotations

from importlib import import_module

from elltwo.errors import unknown_option
from elltwo.labs.report import LabReport

__all__ = ["LABS", "run_lab"]

#: name -> what it shows
LABS: dict[str, str] = {
    "label_noise": "overfitting with noisy labels on real digits, and the plan against three other settings",
    "timescale": "the best λ falls as 1/N (Wang & Aitchison)",
    "trunk_heads": "norms settle at the ratio of the strengths",
    "rotation": "rotational equilibrium under SGD, momentum and AdamW",
    "corrected": "late gradient growth and its cure (AdamC)",
    "tuning": "λ chosen by a pilot at a fraction of a grid's cost",
}


def run_lab(name: str, quick: bool = False, seed: int = 0) -> LabReport:
    """Run one lab on one thread; ``quick`` takes seconds and is rougher.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name not in LABS:
        raise unknown_option("lab", name, LABS)
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        report: LabReport = import_module(f"elltwo.labs.{name}").run(quick=quick, seed=seed)
        return report
    finally:
        torch.set_num_threads(threads)
