"""What watching costs: the monitor at its defaults against the fused AdamW step it watches (10 M parameters).

The bound is the step itself without a monitor, measured in the same run; every part of the monitor is paid:
sampled steps, spectra, and reading the results.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks import Row, at_most

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


def run(rounds: int = 7, period: int = 500) -> list[Row]:
    """Stretches of one run of one optimizer, in turn with and without a monitor; a stretch holds all its costs."""
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
    ours, bound = statistics.median(watched) / period, statistics.median(bare) / period
    return [
        at_most("fused AdamW step, 10 M parameters", "with Monitor(every=50) over without", ours, bound, 1.05)
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
