"""From sums and settings to the records of a decay log: plain numbers, on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elltwo.decay.monitoring.settings import StepSettings
from elltwo.laws.decay_equilibrium import equilibrium_angular_rate, steps_to_equilibrium
from elltwo.laws.decay_readings import StepSums, decay_share, effective_rate, rotation

__all__ = ["group_records", "tensor_records"]

Array = NDArray[np.float64]


def tensor_records(
    names: list[str], invariant: list[bool], sums: StepSums, settings: StepSettings
) -> dict[str, dict[str, Any]]:
    """Metrics per tensor (see ``facts.decaylog.TENSOR_METRICS``); what has no meaning, or no turn, is left out."""
    angles, shares = rotation(sums).tolist(), decay_share(sums, settings.rate).tolist()
    norms, gradients = np.sqrt(sums.weight).tolist(), np.sqrt(sums.gradient).tolist()
    rates, measured = settings.rate.tolist(), (~np.isnan(sums.step)).tolist()
    out = {}
    for i, name in enumerate(names):
        record: dict[str, Any] = {"norm": norms[i], "grad_norm": gradients[i]}
        if measured[i]:
            record["rotation"] = angles[i]
        if rates[i] > 0:
            record["rate"] = rates[i]
            if measured[i]:
                record["decay_share"] = shares[i]
        if invariant[i]:
            record |= _of_invariant(i, angles[i], float(sums.weight[i]), settings)
        out[name] = record
    return out


def _of_invariant(i: int, angle: float, weight: float, s: StepSettings) -> dict[str, float]:
    family, lr, decay, beta = s.family[i], float(s.lr[i]), float(s.weight_decay[i]), float(s.momentum[i])
    out = {}
    if family:
        out["effective_lr"] = float(effective_rate(family, np.array(lr), np.array(weight)))
    if family and decay > 0 and lr > 0:
        predicted = equilibrium_angular_rate(family, lr, decay, beta)
        out["predicted_rotation"] = predicted
        if angle > 0:
            out["steps_to_go"] = steps_to_equilibrium(
                family, lr, decay, angle / predicted, momentum=beta if family == "sgd" else 0.0
            )
    return out


def group_records(
    labels: list[str], tensors: Mapping[str, Mapping[str, Any]], settings: StepSettings
) -> list[dict[str, Any]]:
    """Per optimizer group: root sums of squares of norms, medians of the rest."""
    records = list(tensors.values())
    out = []
    for index, label in enumerate(labels):
        members = [r for r, g in zip(records, settings.group, strict=True) if g == index]
        if not members:
            continue
        first = int(np.flatnonzero(settings.group == index)[0])
        row: dict[str, Any] = {
            "name": label,
            "lr": float(settings.lr[first]),
            "weight_decay": float(settings.weight_decay[first]),
        }
        for key in ("norm", "grad_norm"):
            row[key] = float(np.sqrt(sum(m[key] ** 2 for m in members)))
        for key in ("rotation", "predicted_rotation", "steps_to_go", "decay_share", "effective_lr"):
            values = [m[key] for m in members if key in m and np.isfinite(m[key])]
            if values:
                row[key] = float(np.median(values))
        out.append(row)
    return out
