"""How to move λ when the learning rate, the data, the batch or the width move: rules with their limits.

Each rule is a factor on λ (and on η for the width), with the source it comes from and where it ends.
A rule that nobody has established is marked so, and says what was measured against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["RULES", "RescaleRule", "Rescaling", "factor_for"]


@dataclass(frozen=True)
class RescaleRule:
    """One rule: what moves, the law in a formula, its source, and its limits in one sentence."""

    moves: str
    formula: str
    source: str
    limits: str
    established: bool


@dataclass(frozen=True)
class Rescaling:
    """A rule applied: λ was multiplied by ``decay_factor`` and η by ``lr_factor``."""

    rule: RescaleRule
    old: float | str
    new: float | str
    decay_factor: float
    lr_factor: float = 1.0

    def __str__(self) -> str:
        mark = "" if self.rule.established else " (not established)"
        old, new = (
            v if isinstance(v, str) else f"{v:,.0f}" if v >= 1e4 else f"{v:g}" for v in (self.old, self.new)
        )
        moved = f"{self.rule.moves} {old} -> {new}"
        return f"{moved}: λ × {self.decay_factor:.6g}{mark}, {self.rule.formula}"


RULES: dict[str, RescaleRule] = {
    "lr": RescaleRule(
        "lr",
        "η·λ constant",
        "Loshchilov & Hutter, arXiv:1711.05101; Wang & Aitchison, arXiv:2405.13698",
        "keeps the timescale 1/(ηλ) and the product that sets the rotation; the transient still depends on η",
        True,
    ),
    "samples": RescaleRule(
        "samples",
        "τ_epoch = B/(ηλN) constant, so λ ∝ 1/N",
        "Wang & Aitchison, arXiv:2405.13698",
        "for AdamW at fixed η, batch and epochs; it moves the loss's optimum, not always the accuracy's",
        True,
    ),
    "epochs": RescaleRule(
        "epochs",
        "τ_epoch constant, so λ unchanged",
        "Wang & Aitchison, arXiv:2405.13698",
        "holds while the run stays longer than τ; hold='run' keeps τ/run constant instead (λ ∝ 1/epochs)",
        True,
    ),
    "run": RescaleRule(
        "run",
        "τ/(steps of the run) constant, so λ ∝ 1/steps",
        "Bergsma et al., arXiv:2505.13738",
        "for one-pass training; there the best τ/run itself falls slowly with tokens per parameter",
        True,
    ),
    "batch": RescaleRule(
        "batch",
        "τ_epoch = B/(ηλN) constant, so λ ∝ B at fixed η",
        "Bergsma et al., arXiv:2505.13738, for one-pass language models below the critical batch size",
        "not established in general: on MNIST-1D the best λ was 0.94, 1.41, 1.46, 1.36 at B = 25 to 200; "
        "so above the critical batch size (few steps) keep λ",
        False,
    ),
    "width": RescaleRule(
        "width",
        "μP: η ∝ 1/width on hidden matrices with η·λ constant, so λ ∝ width",
        "Wang & Aitchison, arXiv:2405.13698; Kosson et al., arXiv:2510.19093",
        "for hidden matrices under AdamW; embeddings, gains and biases keep their η",
        True,
    ),
}

_FACTORS: dict[str, Callable[[float], float]] = {
    "lr": lambda r: 1.0 / r,
    "samples": lambda r: 1.0 / r,
    "epochs": lambda r: 1.0,
    "run": lambda r: 1.0 / r,
    "batch": lambda r: r,
    "width": lambda r: r,
}


def factor_for(moves: str, old: float, new: float) -> Rescaling:
    """Apply the rule of ``moves`` (a key of :data:`RULES`) to a change from ``old`` to ``new``.

    Raises
    ------
    KeyError
        For a quantity without a rule.
    """
    ratio = new / old
    lr_factor = 1.0 / ratio if moves == "width" else 1.0
    return Rescaling(RULES[moves], old, new, _FACTORS[moves](ratio), lr_factor)
