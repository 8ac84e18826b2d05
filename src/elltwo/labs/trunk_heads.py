"""Trunk and heads: with one strength for the trunk and another for the heads, norms settle at their ratio."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elltwo.labs.report import Curve, LabReport, Row
from elltwo.laws.decay_balance import trunk_head_ratio

__all__ = ["run"]

_TRUNK, _HEADS = 0.15, 0.05


def run(quick: bool = False, seed: int = 0) -> LabReport:
    """Full-batch training of a linear multi-task network by SGD + L2, Adam + L2 and AdamW.

    Predicted ‖W_s‖²/Σ‖v_t‖² = λ_t/λ_s for coupled L2 under both optimizers; under AdamW the preconditioned law
    λ_s⟨W, √v W⟩ = λ_t Σ⟨v_t, √v v_t⟩ instead (mini-batches, run of many timescales).
    """
    start = time.process_time()
    steps = 3_000 if quick else 10_000
    ratio = trunk_head_ratio(_TRUNK, _HEADS)
    rows, curves = [], []
    for label, optimizer in (("SGD + L2", "SGD"), ("Adam + L2", "Adam")):
        path = _full_batch(optimizer, steps, seed)
        rows.append(Row(f"norm ratio under {label}", float(path[-1]), ratio, 0.999, 1.001))
        curves.append(Curve(label, np.linspace(0.0, 50.0 * (len(path) - 1), len(path)), path))
    curves.append(Curve("predicted", np.array([0.0, steps]), np.array([ratio, ratio]), style=":"))
    adamw = _full_batch("AdamW", steps, seed)
    rows.append(Row("norm ratio under AdamW (another law)", float(adamw[-1]), ratio))
    curves.append(Curve("AdamW", np.linspace(0.0, 50.0 * (len(adamw) - 1), len(adamw)), adamw))
    sides = _preconditioned(10_000 if quick else 30_000, seed)
    rows.append(Row("AdamW: the two preconditioned sides", sides[0], sides[1], 0.9, 1.1))
    return LabReport(
        "trunk_heads",
        "A trunk with decay λ_s and heads with decay λ_t end with ‖W_s‖²/Σ‖v_t‖² = λ_t/λ_s under coupled L2; "
        "AdamW obeys the law with √v inside.",
        "derived from Σ s_i⟨w_i, ∂f/∂w_i⟩ = 0 (Kunin et al., arXiv:2012.04728)",
        tuple(rows),
        tuple(curves),
        (("step", "squared norm of the trunk over that of the heads"),),
        log_y=True,
        notes=("The AdamW row is one toy network; the first-order law carries a residual of a few percent.",),
        seconds=time.process_time() - start,
    )


def _network(seed: int) -> tuple[Any, Any, Any, Any]:
    import torch

    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Any:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x = draw(256, 6)
    y = x @ draw(6, 3) + 0.5 * draw(256, 3)
    trunk, heads = (torch.nn.Parameter(0.4 * draw(*s)) for s in ((5, 6), (3, 5)))
    return x, y, trunk, heads


def _groups(trunk: Any, heads: Any) -> list[dict[str, Any]]:
    return [{"params": [trunk], "weight_decay": _TRUNK}, {"params": [heads], "weight_decay": _HEADS}]


def _loss(x: Any, y: Any, trunk: Any, heads: Any) -> Any:
    return 0.5 * (x @ trunk.T @ heads.T - y).square().sum(1).mean()


def _full_batch(name: str, steps: int, seed: int) -> NDArray[np.float64]:
    import torch

    x, y, trunk, heads = _network(seed)
    optimizer = getattr(torch.optim, name)(_groups(trunk, heads), lr=0.05 if name == "SGD" else 0.01)
    decline = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1.0 if name == "SGD" else 1 - t / steps)
    path = []
    for t in range(steps):
        optimizer.zero_grad()
        _loss(x, y, trunk, heads).backward()
        optimizer.step()
        decline.step()
        if t % 50 == 0 or t == steps - 1:
            path.append(float(trunk.detach().square().sum() / heads.detach().square().sum()))
    return np.array(path)


def _preconditioned(steps: int, seed: int) -> tuple[float, float]:
    """Mini-batch AdamW: means over the last half of λ_s⟨W, √v W⟩ and λ_t⟨V, √v V⟩."""
    import torch

    x, y, trunk, heads = _network(seed)
    groups = _groups(trunk, heads)
    for group in groups:
        group["weight_decay"] *= 10
    optimizer = torch.optim.AdamW(groups, lr=2e-3)
    generator, sums, count = torch.Generator().manual_seed(seed + 1), np.zeros(2), 0
    for t in range(steps):
        rows = torch.randint(0, 256, (64,), generator=generator)
        optimizer.zero_grad()
        _loss(x[rows], y[rows], trunk, heads).backward()
        optimizer.step()
        if t >= steps // 2 and t % 10 == 0:
            for i, (p, g) in enumerate(zip((trunk, heads), groups, strict=True)):
                weighted = (p.detach().square() * optimizer.state[p]["exp_avg_sq"].sqrt()).sum()
                sums[i] += g["weight_decay"] * float(weighted)
            count += 1
    return float(sums[0] / count), float(sums[1] / count)
