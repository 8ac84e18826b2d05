"""What watching costs: the monitor at its defaults against the fused AdamW step it watches (10 M parameters).

The bound is the step itself without a monitor, measured in the same run; every part of the monitor is paid:
sampled steps, spectra, and reading the results.
"""

from __future__ import annotations

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


def run() -> list[Row]:
    """A run of 2,000 steps, and one of 500, which the first power iterations weigh on more."""
    job = "fused AdamW step, 10 M parameters"
    long, short = stretches(2000, 5), stretches(500, 5)
    return [
        at_most(job, "Monitor(every=50) over none, 2,000 steps and all it costs to start", *long, 1.05),
        told(job, "Monitor(every=50) over none, 500 steps and all it costs to start", *short),
        told(
            job, "the same 2,000 steps: with the time inside the monitor's calls over without", *inside(2000)
        ),
    ]


def stretches(period: int, rounds: int) -> tuple[float, float]:
    """Seconds per step with and without a monitor: the round of median ratio.

    A round is one stretch of each kind, in alternating order, because a step's own time drifts by several
    percent from second to second. A watched stretch holds all the monitor's costs.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    _steps(optimizer, 50)
    pairs = []
    for turn in range(rounds):
        first = _steps(optimizer, period) if turn % 2 else None
        watched = _watched(model, optimizer, period)
        bare = _steps(optimizer, period) if first is None else first
        pairs.append((watched / period, bare / period))
    torch.set_num_threads(threads)
    return sorted(pairs, key=lambda pair: pair[0] / pair[1])[rounds // 2]


def inside(period: int) -> tuple[float, float]:
    """Seconds per step with and without what is spent in the monitor itself, from one stretch: free of drift."""
    import torch

    from elltwo.decay.monitoring.monitor import Monitor

    spent = [0.0]

    def timed(call: Any) -> Any:
        def clocked(*given: Any) -> Any:
            start = time.process_time()
            result = call(*given)
            spent[0] += time.process_time() - start
            return result

        return clocked

    class Timed(Monitor):
        _pre = timed(Monitor._pre)
        _post = timed(Monitor._post)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    _steps(optimizer, 50)
    start = time.process_time()
    monitor = timed(Timed)(model, optimizer)
    _steps(optimizer, period)
    timed(monitor.close)()
    whole = time.process_time() - start
    torch.set_num_threads(threads)
    return whole / period, (whole - spent[0]) / period


def _watched(model: Any, optimizer: Any, period: int) -> float:
    """From the first hook to the last result read."""
    from elltwo.decay.monitoring.monitor import Monitor

    start = time.process_time()
    monitor = Monitor(model, optimizer)
    _steps(optimizer, period)
    monitor.close()
    return time.process_time() - start


if __name__ == "__main__":
    for row in run():
        print(row)
