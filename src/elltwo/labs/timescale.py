"""Wang & Aitchison's timescale: the best λ falls as 1/N, so the best memory in epochs stays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from elltwo.errors import missing_extra
from elltwo.labs.report import Curve, LabReport, Row
from elltwo.laws.decay import timescale_epochs
from elltwo.laws.decay_rescale import factor_for

__all__ = ["run"]

_LR, _BATCH, _EPOCHS = 1e-3, 50, 40
_GRID = np.geomspace(0.125, 16.0, 8)
_FINE = 2.0 ** np.array([-1.0, -0.5, 0.0, 0.5, 1.0])


def run(quick: bool = False, seed: int = 0) -> LabReport:
    """Sweep λ on MNIST-1D at several sizes N with AdamW at fixed η, batch and epochs.

    A coarse sweep (a factor 2) finds the octave; the best λ is the vertex of the least-squares parabola in log λ over
    five strengths around it, in the mean loss of three seeds. The predicted one is carried from the smallest N by
    λ ∝ 1/N.
    """
    start = time.process_time()
    sizes, seeds = ((500, 1000), 1) if quick else ((500, 1000, 2000, 4000), 3)
    sweeps = [_sweep(n, range(seed, seed + seeds)) for n in sizes]
    best = [s.best for s in sweeps]
    curves = [Curve(f"N = {n}", s.strengths, s.losses) for n, s in zip(sizes, sweeps, strict=True)]
    taus = [timescale_epochs(_LR, wd, batch=_BATCH, samples=n) for wd, n in zip(best, sizes, strict=True)]
    middle = float(np.exp(np.mean(np.log(taus))))
    rows = [
        Row(f"τ in epochs at N = {n}", tau, middle, 1 / 1.15, 1.15)
        for n, tau in zip(sizes, taus, strict=True)
    ]
    rows += [
        Row(f"best λ at N = {n}", wd, best[0] * factor_for("samples", sizes[0], n).decay_factor)
        for n, wd in zip(sizes, best, strict=True)
    ]
    return LabReport(
        "timescale",
        "At fixed learning rate, batch and epochs the best λ falls as 1/N: the timescale τ = B/(ηλN) in epochs is the "
        "same for every amount of data.",
        "Wang & Aitchison, arXiv:2405.13698; MNIST-1D: Greydanus & Kobak, arXiv:2011.14439",
        tuple(rows),
        tuple(curves),
        (("weight decay λ", "test loss"),),
        log_x=True,
        notes=(
            f"{seeds} seed(s); the optimum is read off the test loss, so this shows a law and is no way to choose λ.",
            "The same experiment over the batch size (λ ∝ B) did not reproduce and is not claimed.",
        ),
        seconds=time.process_time() - start,
    )


@dataclass(frozen=True)
class _Sweep:
    """Strengths (ascending) with their mean losses, and the strength of least loss."""

    strengths: np.ndarray
    losses: np.ndarray
    best: float


def _sweep(n: int, seeds: range) -> _Sweep:
    coarse = {float(wd): _test_loss(n, float(wd), seeds[0]) for wd in _GRID}
    centre = min(coarse, key=lambda wd: coarse[wd])
    fine = {wd: np.mean([_test_loss(n, wd, s) for s in seeds]) for wd in (centre * _FINE).tolist()}
    outside = {wd: loss for wd, loss in coarse.items() if not np.isclose(wd, list(fine)).any()}
    losses = outside | fine
    strengths = np.array(sorted(losses))
    found = np.array([losses[wd] for wd in strengths])
    inside = np.isin(strengths, list(fine))
    return _Sweep(strengths, found, _vertex(np.log(strengths[inside]), found[inside]))


def _vertex(x: np.ndarray, y: np.ndarray) -> float:
    """exp of the minimiser of the least-squares parabola through the points; the best point where it has none."""
    a, b, _ = np.polyfit(x, y, 2)
    return float(np.exp(np.clip(-b / (2 * a), x[0], x[-1]) if a > 0 else x[np.argmin(y)]))


@dataclass(frozen=True)
class _Data:
    """Training rows of the size asked for, and 1,000 test rows."""

    x: Any
    y: Any
    test_x: Any
    test_y: Any


@cache
def _data(n: int) -> _Data:
    import torch

    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise missing_extra("mnist1d", "bench", "the timescale lab") from error
    args = get_dataset_args()
    args.num_samples = 5000
    made = make_dataset(args)
    x, y = np.concatenate([made["x"], made["x_test"]]), np.concatenate([made["y"], made["y_test"]])
    a, b = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.int64)
    return _Data(a[:n], b[:n], a[4000:], b[4000:])


def _test_loss(n: int, weight_decay: float, seed: int) -> float:
    import torch
    from torch import nn

    data = _data(n)
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(40, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    weights = [p for p in net.parameters() if p.dim() > 1]
    biases = [p for p in net.parameters() if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=_LR, fused=True)
    steps = _EPOCHS * (n // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(_EPOCHS):
        for rows in torch.randperm(n, generator=generator).split(_BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(data.x[rows]), data.y[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return nn.functional.cross_entropy(net(data.test_x), data.test_y).item()
