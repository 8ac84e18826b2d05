"""What watching costs: the monitor at its defaults against the fused AdamW step it watches (10 M parameters).

The bound is the step itself without a monitor, measured in the same run; every part of the monitor is paid:
sampled steps, spectra, and reading the results.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks import Row, at_most, told

__all__ = ["run"]

_SHAPES = [(512, 256)] * 60 + [(256,)] * 60 + [(1024, 512)] * 4 + [(512,)] * 9


def _model() -> Any:
    import torch

    torch.manual_seed(0)
    holder = torch.nn.ParameterList([torch.nn.Parameter(0.02 * torch.randn(s)) for s in _SHAPES])
    for p in holder:
        p.grad = 1e-3 * torch.randn_like(p)
    return holder


def _steps(optimizer: Any, count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        optimizer.step()
    return time.process_time() - start


def run(rounds: int = 5) -> list[Row]:
    """A run of 2,000 steps, and one of 500, which the first power iterations weigh on more."""
    job = "fused AdamW step, 10 M parameters"
    long, short = stretches(2000, rounds), stretches(500, rounds)
    return [
        at_most(job, "Monitor(every=50) over none, 2,000 steps and all it costs to start", *long, 1.05),
        told(job, "Monitor(every=50) over none, 500 steps and all it costs to start", *short),
    ]


def stretches(period: int, rounds: int) -> tuple[float, float]:
    """Seconds per step of one optimizer, in turn with and without a monitor; a stretch holds all its costs."""
    import torch

    from elltwo.decay.monitoring.monitor import Monitor

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    _steps(optimizer, 50)
    bare, watched = [], []
    for _ in range(rounds):
        bare.append(_steps(optimizer, period))
        monitor = Monitor(model, optimizer)
        watched.append(_steps(optimizer, period))
        monitor.close()
    torch.set_num_threads(threads)
    return statistics.median(watched) / period, statistics.median(bare) / period


if __name__ == "__main__":
    for row in run():
        print(row)
