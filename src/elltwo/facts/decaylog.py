"""What weight decay did in a run: measured beside predicted, one record per sampled step. Plain data."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elltwo.errors import DataError

VERSION = 1

#: metric of a tensor -> what it is
TENSOR_METRICS: dict[str, str] = {
    "norm": "‖w‖ after the step",
    "grad_norm": "‖g‖ as the optimizer saw it",
    "rotation": "angle turned by the step, radians",
    "predicted_rotation": "the same at equilibrium, by the law of the optimizer (proven scale-invariant tensors)",
    "steps_to_go": "steps until equilibrium, by the law of relaxation",
    "effective_lr": "learning rate of the direction of a scale-invariant weight",
    "decay_share": "share of the update that is decay",
    "rate": "share of the weight that decay removed in the step",
    "stable_rank": "‖W‖²_F / σ₁²",
    "spectral_norm": "σ₁ of the weight as a matrix (rows × rest)",
}


@dataclass(frozen=True)
class DecayLog:
    """Records of a run.

    ``header`` holds the optimizer, the tensors and their plan; each record has ``step`` and some of
    ``tensors`` {name: {metric: value}}, ``groups``, ``balance``, ``scalars``, ``lipschitz_log10``.
    """

    header: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.records)

    @property
    def last_step(self) -> int:
        """The last recorded step, −1 for an empty log."""
        return max((int(r["step"]) for r in self.records), default=-1)

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that were measured."""
        return tuple(self.header.get("tensors", {}))

    def series(self, tensor: str, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values of one metric of one tensor; where it was not measured there is no entry."""
        return self._pairs(
            (r["step"], r.get("tensors", {}).get(tensor, {}).get(metric)) for r in self.records
        )

    def scalar(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values of a scalar that was logged, such as ``val_loss``."""
        return self._pairs((r["step"], r.get("scalars", {}).get(name)) for r in self.records)

    def balance(self, symmetry: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values of the balance residual along a symmetry."""
        return self._pairs((r["step"], r.get("balance", {}).get(symmetry)) for r in self.records)

    @staticmethod
    def _pairs(pairs: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        kept = [(s, v) for s, v in pairs if v is not None]
        steps, values = ([p[i] for p in kept] for i in (0, 1))
        return np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)

    def until(self, step: int) -> DecayLog:
        """The log without what comes after ``step``: what remains when a run is resumed from there."""
        return replace(self, records=tuple(r for r in self.records if int(r["step"]) <= step))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DecayLog:
        """Read a JSONL log; a last line cut off by a crash is dropped.

        Raises
        ------
        DataError
            If the file cannot be read, is no decay log, or is damaged before its last line.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read a decay log from {path}: {error}") from error
        parsed = []
        for number, line in enumerate(lines, 1):
            try:
                parsed.append(json.loads(line))
            except ValueError as error:
                if number == len(lines) and number > 1:
                    break
                raise DataError(
                    f"{path} line {number} is not JSON: this is no decay log, or it is damaged"
                ) from error
        if not parsed or not isinstance(parsed[0], dict) or parsed[0].get("elltwo_decay_log") != VERSION:
            raise DataError(f"{path} is not a decay log of version {VERSION}: its first line says otherwise")
        return cls(parsed[0], tuple(parsed[1:]))

    def lines(self) -> list[str]:
        """The log as JSON lines, header first."""
        return [dumps(self.header), *(dumps(r) for r in self.records)]


def dumps(record: Mapping[str, Any]) -> str:
    """One line of JSON; numbers that are not finite become null, for readers in other languages."""
    return json.dumps(_plain(record), allow_nan=False, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
