"""λ chosen at a fraction of a grid's cost: every method of tune_weight_decay against a 12-point grid, on real data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.decay.planning.plan import decay_plan
from elltwo.decay.tuning.choose import tune_weight_decay
from elltwo.decay.tuning.result import TunedDecay
from elltwo.labs.report import Curve, LabReport, Row
from elltwo.labs.tasks import BATCH, LR, TASKS, Task, batches, fit, validation_loss

__all__ = ["run"]

_GRID = np.geomspace(0.1, 20.0, 12)
_COUPLED = np.geomspace(1e-5, 3e-2, 12)
_HEAD = np.geomspace(1e-2, 1e4, 12)
_PILOT = np.geomspace(0.1, 20.0, 8)
_NEAR, _CHEAP = 1.01, 0.25


@dataclass(frozen=True)
class Trial:
    """One method on one task and seed: loss over the best of the grid that it is measured against, and cost."""

    task: str
    method: str
    ratio: float
    cost: float
    weight_decay: float = float("nan")


@dataclass(frozen=True)
class TaskResult:
    """All methods on one task and seed, and the AdamW grid's losses."""

    trials: tuple[Trial, ...]
    losses: np.ndarray


def run(quick: bool = False, seed: int = 0) -> LabReport:
    """Digits (30 % random labels), MNIST-1D (15 %) and a character model: three seeds, or one task and one seed.

    Decoupled methods are measured against a grid of AdamW, the marginal likelihood against a grid of Adam + L2, the
    last layer's evidence against a grid for that layer. Claimed is that the same two methods at least have a mean loss
    within 1 % of the grid's best on every task, at a quarter of the grid's cost at most.
    """
    start = time.process_time()
    names = list(TASKS)[:1] if quick else list(TASKS)
    seeds = range(seed, seed + (1 if quick else 3))
    results = {n: [_measure(TASKS[n](s), s) for s in seeds] for n in names}
    trials = [t for group in results.values() for result in group for t in result.trials]
    rows, failed = _rows(trials, names)
    return LabReport(
        "tuning",
        "A good λ costs a fraction of a grid: two methods come within 1 % of the best of 12 runs on every task, at a "
        "quarter of their cost.",
        "Wang & Aitchison, arXiv:2405.13698; Immer et al., arXiv:2104.04975; Franceschi et al., arXiv:1703.01785",
        tuple(rows),
        tuple(_curves(results, names)),
        tuple(("weight decay λ (AdamW)", f"{n}: validation loss") for n in names),
        log_x=True,
        notes=(
            f"Mean over {len(seeds)} seed(s); the loss over the best of the grid, which sees the same validation rows.",
            "Not within 1 %: " + ("; ".join(failed) or "none") + ".",
            "The rule of one timescale per run, from which bracket and hypergradient start, was fixed after a look at "
            "digits and MNIST-1D (one seed).",
            "The cost is that of choosing; the run with the chosen λ, which a grid includes, is not counted.",
        ),
        seconds=time.process_time() - start,
    )


def _rows(trials: list[Trial], names: list[str]) -> tuple[list[Row], list[str]]:
    """The mean over seeds of every method on every task; and, in words, who missed 1 % and where."""
    methods = list(dict.fromkeys(t.method for t in trials))
    rows, near, failed, everywhere = [], dict.fromkeys(names, 0), [], 0
    for method in methods:
        cost = float(np.mean([t.cost for t in trials if t.method == method]))
        missed = []
        for name in names:
            mean = float(np.mean([t.ratio for t in trials if (t.task, t.method) == (name, method)]))
            rows.append(Row(f"{method}, {name}: loss", mean, 1.0))
            if mean <= _NEAR and cost <= _CHEAP:
                near[name] += 1
            else:
                missed.append(name)
        rows.append(Row(f"{method}: cost over the grid's", cost))
        failed += [f"{method} on {' and '.join(missed)}"] if missed else []
        everywhere += not missed
    rows += [
        Row(f"{name}: methods within 1 %", float(count), None, 2.0, None) for name, count in near.items()
    ]
    rows.append(Row("methods within 1 % on every task", float(everywhere), None, 2.0, None))
    return rows, failed


def _curves(results: dict[str, list[TaskResult]], names: list[str]) -> list[Curve]:
    curves = []
    for panel, name in enumerate(names):
        first = results[name][0]
        curves.append(Curve("grid", _GRID, first.losses, panel, "o-"))
        for trial in first.trials:
            if np.isfinite(trial.weight_decay):
                at = (np.array([trial.weight_decay]), np.array([trial.ratio * first.losses.min()]))
                curves.append(Curve(trial.method, *at, panel, "s"))
    return curves


def _measure(task: Task, seed: int) -> TaskResult:
    def train(weight_decay: float, rows: int) -> float:
        return validation_loss(task, fit(task, seed, weight_decay, rows))

    n = len(task.x)
    losses = np.array([train(float(wd), n) for wd in _GRID])
    trials = []
    for chosen in _chosen(task, seed, train):
        ratio = train(chosen.weight_decay, n) / float(losses.min())
        trials.append(Trial(task.name, chosen.method, ratio, chosen.cost / len(_GRID), chosen.weight_decay))
    return TaskResult((*trials, _marginal(task, seed), _evidence(task, seed)), losses)


def _chosen(task: Task, seed: int, train: Callable[[float, int], float]) -> list[TunedDecay]:
    """The choices for decoupled decay on all linear layers."""
    import torch

    torch.manual_seed(seed)
    net = task.network()
    weights = torch.cat([m.weight.detach().flatten() for m in net if isinstance(m, torch.nn.Linear)])
    settings: dict[str, Any] = {
        "lr": LR,
        "batch": BATCH,
        "samples": len(task.x),
        "epochs": task.epochs,
        "schedule": "linear",
    }
    rule = tune_weight_decay(method="timescale", **settings)
    return [
        rule,
        tune_weight_decay(method="norm", lr=LR, rms=float(weights.square().mean().sqrt())),
        tune_weight_decay(train, method="bracket", samples=len(task.x), start=rule.weight_decay),
        tune_weight_decay(train, samples=len(task.x), grid=list(_PILOT), share=0.25),
        tune_weight_decay(
            method="hypergradient",
            model=net,
            batches=batches(task.x, task.y, seed),
            validation=batches(task.vx, task.vy, seed + 1),
            steps=task.steps,
            lr=LR,
            plan=decay_plan(net, task.x[:BATCH]),
        ),
    ]


def _marginal(task: Task, seed: int) -> Trial:
    import torch

    grid = [validation_loss(task, fit(task, seed, float(wd), coupled=True)) for wd in _COUPLED]
    torch.manual_seed(seed)
    chosen = tune_weight_decay(
        method="marginal",
        model=task.network(),
        batches=batches(task.x, task.y, seed),
        samples=len(task.x),
        lr=LR,
        epochs=task.epochs,
    )
    loss = validation_loss(task, fit(task, seed, 0.0, coupled=True, strengths=chosen.strengths))
    return Trial(task.name, "marginal", loss / min(grid), chosen.cost / len(grid))


def _evidence(task: Task, seed: int) -> Trial:
    """The body is trained on one half of the rows and frozen; the head is ridge on the other half, one-hot targets."""
    import torch

    from elltwo.laws.decay import as_ridge_alpha

    half = len(task.x) // 2
    net = fit(task, seed, 1.0, half)
    body, classes = torch.nn.Sequential(*list(net)[:-1]), net[-1].out_features
    with torch.no_grad():
        features, held = (body(rows).double().numpy() for rows in (task.x[half:], task.vx))
    targets, wanted = (np.eye(classes)[rows.numpy()] for rows in (task.y[half:], task.vy))
    chosen = tune_weight_decay(method="evidence", features=features, targets=targets)
    alpha = as_ridge_alpha(chosen.weight_decay * classes, len(features))
    errors = [_ridge_error(features, targets, held, wanted, a) for a in (alpha, *_HEAD)]
    return Trial(task.name, "evidence, last layer", errors[0] / min(errors[1:]), 0.0)


def _ridge_error(
    features: np.ndarray, targets: np.ndarray, held: np.ndarray, wanted: np.ndarray, alpha: float
) -> float:
    centre, level = features.mean(0), targets.mean(0)
    gram = (features - centre).T @ (features - centre) + alpha * np.eye(features.shape[1])
    w = np.linalg.solve(gram, (features - centre).T @ (targets - level))
    return float(np.mean(((held - centre) @ w + level - wanted) ** 2))
