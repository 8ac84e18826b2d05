"""A plan made before wrapping holds by name through DDP, FSDP2, torch.compile, EMA, checkpointing and ties."""

from __future__ import annotations

import os
import socket

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import elltwo
from decay_models import LowRank, TinyGPT, cnn, mlp
from elltwo.errors import InputError

IDS = torch.randint(0, 11, (3, 7), generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def strengths(groups):
    return {n: float(g["weight_decay"]) for g in groups for n, _ in g["params"]}


def test_compiled_models_are_looked_through_and_grouped_by_name():
    model = mlp(4, 5, 3)
    x = torch.randn(6, 4)
    plan = elltwo.decay_plan(model, x)
    compiled = torch.compile(model, backend="eager")
    assert elltwo.decay_plan(compiled, x).diff(plan) == ()
    groups = plan.groups(model=compiled)
    assert strengths(groups) == strengths(plan.groups())
    assert all(p is dict(model.named_parameters())[n] for g in groups for n, p in g["params"])


def test_an_averaged_copy_takes_the_plan_of_its_original():
    model = TinyGPT(tied=True)
    plan = elltwo.decay_plan(model, IDS)
    average = torch.optim.swa_utils.AveragedModel(model)
    assert strengths(plan.groups(model=average)) == strengths(plan.groups())
    held = {id(p) for g in plan.groups(model=average) for _, p in g["params"]}
    assert held == {id(p) for p in average.parameters()}


def test_adapters_added_after_planning_need_a_new_plan_and_get_one():
    plain = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    plan = elltwo.decay_plan(plain, torch.randn(5, 8))
    with pytest.raises(elltwo.errors.UsageError, match="do not fit"):
        plan.groups(model=LowRank())
    again = elltwo.decay_plan(LowRank(), torch.randn(5, 8))
    assert {r.name for r in again.decayed} == {"u.weight", "v.weight", "out.weight"}


def test_activation_checkpointing_changes_nothing():
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return checkpoint(self.inner, x, use_reentrant=False)

    inner, x = cnn(), torch.randn(4, 3, 8, 8)
    plain = elltwo.decay_plan(inner, x)
    wrapped = elltwo.decay_plan(Checkpointed(inner), x)
    assert [(r.role, r.scale_invariant) for r in wrapped] == [(r.role, r.scale_invariant) for r in plain]


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _worker(rank, port, queue):
    """One of two processes: wrap, group by the plan, take one zero-gradient step, report the shrink by name."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    report = {}
    for kind in ("ddp", "fsdp2"):
        torch.manual_seed(0)
        model = TinyGPT(qk_norm=True)
        plan = elltwo.decay_plan(model, IDS, weight_decay=0.5)
        if kind == "ddp":
            wrapped = nn.parallel.DistributedDataParallel(model)
            same = elltwo.decay_plan(wrapped, IDS, weight_decay=0.5).diff(plan) == ()
        else:
            mesh = init_device_mesh("cpu", (2,))
            for block in model.blocks:
                fully_shard(block, mesh=mesh)
            wrapped = fully_shard(model, mesh=mesh)
            try:
                elltwo.decay_plan(wrapped, IDS)
                same = False
            except InputError as error:
                same = "plan before fully_shard" in str(error)
        groups = plan.groups(lr=0.01, model=wrapped)
        held = [pair for g in groups for pair in g["params"]]  # the optimizer rewrites the groups
        optimizer = torch.optim.AdamW(groups)
        wrapped(IDS).sum().backward()
        audited = elltwo.audit(optimizer, wrapped, plan=plan).exit_code
        for p in wrapped.parameters():
            p.grad.zero_()
        before = {n: _local(p).clone() for n, p in held}
        monitor = elltwo.Monitor(wrapped, optimizer, plan, every=1, spectra_every=0)
        optimizer.step()
        seen = {n: (m["norm"], m["rotation"]) for n, m in monitor.records.records[-1]["tensors"].items()}
        shrink = {
            n: bool(torch.allclose(_local(p), before[n] * (1 - 0.01 * plan[n].strength), atol=1e-7))
            for n, p in held
        }
        report[kind] = (same, all(shrink.values()), len(shrink), audited, seen)
    if rank == 0:
        queue.put(report)
    dist.barrier()
    dist.destroy_process_group()


def _local(p):
    data = p.detach()
    return data.to_local() if hasattr(data, "to_local") else data


def test_ddp_and_fsdp2_shrink_what_the_plan_says_on_two_processes():
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    import torch.multiprocessing as mp

    context = mp.get_context("spawn")
    queue, port = context.SimpleQueue(), _free_port()
    workers = [context.Process(target=_worker, args=(rank, port, queue)) for rank in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(120)
    assert [w.exitcode for w in workers] == [0, 0]
    report = queue.get()
    tensors = len(list(TinyGPT(qk_norm=True).parameters()))
    assert {k: r[:4] for k, r in report.items()} == dict.fromkeys(("ddp", "fsdp2"), (True, True, tensors, 0))
    whole, sharded = report["ddp"][4], report["fsdp2"][4]
    assert whole.keys() == sharded.keys()
    for name, measured in whole.items():
        assert sharded[name] == pytest.approx(measured, rel=1e-5, abs=1e-5, nan_ok=True)
