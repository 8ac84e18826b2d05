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


def run(quick: bool = False, seed: int = 0) -> LabReport:
    """Sweep λ on MNIST-1D at several sizes N with AdamW at fixed η, batch and epochs.

    The best λ is the vertex of a parabola through the best grid point and its neighbours in log λ; the predicted
    one is carried from the smallest N by λ ∝ 1/N.
    """
    start = time.process_time()
    sizes = (500, 1000) if quick else (500, 1000, 2000, 4000)
    best, curves = [], []
    for n in sizes:
        losses = np.array([_test_loss(n, float(wd), seed) for wd in _GRID])
        best.append(_vertex(np.log(_GRID), losses))
        curves.append(Curve(f"N = {n}", _GRID, losses))
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
            f"One seed; {len(_GRID)} strengths per size; the optimum is read off the test loss, so this shows a law "
            "and is no way to choose λ.",
            "The same experiment over the batch size (λ ∝ B) did not reproduce and is not claimed.",
        ),
        seconds=time.process_time() - start,
    )


def _vertex(x: np.ndarray, y: np.ndarray) -> float:
    """exp of the minimiser of the parabola through the smallest value and its neighbours."""
    i = int(np.clip(np.argmin(y), 1, len(y) - 2))
    a, b, _ = np.polyfit(x[i - 1 : i + 2], y[i - 1 : i + 2], 2)
    return float(np.exp(np.clip(-b / (2 * a), x[i - 1], x[i + 1])))


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
