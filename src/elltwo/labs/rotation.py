"""Rotational equilibrium: scale-invariant weights turn at a rate that only η, λ and the momentum decide."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from elltwo.labs.report import Curve, LabReport, Row
from elltwo.laws.decay_equilibrium import equilibrium_angular_rate

__all__ = ["run"]

_SETTINGS = (
    ("SGD", {"lr": 0.1, "weight_decay": 0.02}, 0.0, "sgd"),
    ("SGD, momentum 0.9", {"lr": 0.05, "weight_decay": 0.01, "momentum": 0.9}, 0.9, "sgd"),
    ("AdamW", {"lr": 2e-3, "weight_decay": 2.0}, 0.9, "adamw"),
)


def run(quick: bool = False, seed: int = 0) -> LabReport:
    """A batch-normalised layer on a fresh stream of inputs and random labels, watched by the monitor.

    Inputs are Gaussian, so every row of the weight is live (on images, constant pixels leave dead columns).
    """
    start = time.process_time()
    rows, curves = [], []
    for i, (label, options, momentum, family) in enumerate(_SETTINGS):
        steps, measured = _turn(options, 1200 if quick else 3000, seed)
        predicted = equilibrium_angular_rate(family, options["lr"], options["weight_decay"], momentum)
        late = float(np.mean(measured[len(measured) // 2 :]))
        rows.append(Row(f"{label}: radians per step", late, predicted, 0.95, 1.05))
        curves += [
            Curve("measured", steps, measured, i),
            Curve("predicted", steps, np.full(len(steps), predicted), i, "--"),
        ]
    return LabReport(
        "rotation",
        "At equilibrium a scale-invariant weight turns by √(2ηλ/(1+β)) per step under SGD and by "
        "√(2ηλ(1−β₁)/(1+β₁)) under AdamW, whatever the layer and its start.",
        "Wan et al., arXiv:2006.08419; Kosson et al., arXiv:2305.17212",
        tuple(rows),
        tuple(curves),
        tuple(("step", f"{label}: radians per step") for label, *_ in _SETTINGS),
        seconds=time.process_time() - start,
    )


def _turn(options: dict[str, float], steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import torch
    from torch import nn

    from elltwo.decay.monitoring.monitor import Monitor

    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(32, 64, bias=False), nn.BatchNorm1d(64, affine=False), nn.ReLU(), nn.Linear(64, 4)
    )
    net[3].requires_grad_(False)
    make: Any = torch.optim.AdamW if options["lr"] < 0.01 else torch.optim.SGD
    optimizer = make([net[0].weight], **options)
    monitor = Monitor(net, optimizer, every=10, spectra_every=0)
    for _ in range(steps):
        x = torch.randn((32, 32), generator=generator)
        y = torch.randint(0, 4, (32,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    monitor.close()
    return monitor.records.series("0.weight", "rotation")
