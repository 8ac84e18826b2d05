"""The monitor: what it says equals what a slow reading of the same steps says, and it disturbs nothing."""

import json
import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from elltwo.decay.forms.apply import apply_decay
from elltwo.decay.monitoring.findings import log_findings, opened_gap
from elltwo.decay.monitoring.measuring import _equal_parts, turns_for
from elltwo.decay.monitoring.monitor import Monitor
from elltwo.decay.monitoring.spectral import SpectralMeter, effective_rank, radial_tangential, sharpness
from elltwo.errors import ChoiceWarning, DataError, InputError, UsageError
from elltwo.facts.decaylog import DecayLog
from elltwo.facts.decayplan import DecayPlan, PlanRow
from elltwo.facts.symmetry import Symmetries, Symmetry

IN, WIDTH, OUT = 5, 8, 3


def network(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(IN, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, OUT)
    )
    return net.to(dtype)


def plan_of(net, wd=0.5):
    roles = {
        "0.weight": "linear weight",
        "1.weight": "norm scale",
        "1.bias": "norm shift",
        "3.weight": "output head",
        "3.bias": "bias",
    }
    rows = tuple(
        PlanRow(n, tuple(p.shape), roles[n], wd if "weight" in roles[n] or "head" in roles[n] else 0.0, "test",
                scale_invariant="proven" if n == "0.weight" else "no")
        for n, p in net.named_parameters()
    )  # fmt: skip
    return DecayPlan(rows, "standard", wd, parameters=dict(net.named_parameters()))


def train(net, optimizer, steps, seed=1, each=None):
    generator = torch.Generator().manual_seed(seed)
    kind = next(net.parameters()).dtype
    for t in range(steps):
        x = torch.randn((32, IN), generator=generator, dtype=torch.float64).to(kind)
        y = torch.randint(0, OUT, (32,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        if each:
            each(t)
        optimizer.step()


OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.5),
    "fused adamw": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.5, fused=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_metrics_equal_a_slow_reading_of_the_same_step(name):
    net = network()
    optimizer = OPTIMIZERS[name](net.parameters())
    monitor = Monitor(net, optimizer, plan_of(net), every=3, spectra_every=1)
    seen = {}

    def each(t):
        if t == 6:
            seen["before"] = {n: (p.detach().clone(), p.grad.clone()) for n, p in net.named_parameters()}
        if t == 7:
            seen["after"] = {n: p.detach().clone() for n, p in net.named_parameters()}

    train(net, optimizer, 8, each=each)
    record = next(r for r in monitor.records if r["step"] == 6)
    for n, (w, g) in seen["before"].items():
        new, got = seen["after"][n], record["tensors"][n]
        assert got["norm"] == pytest.approx(float(new.norm()), rel=1e-12)
        assert got["grad_norm"] == pytest.approx(float(g.norm()), rel=1e-12)
        cosine = float((w * new).sum() / w.norm() / new.norm())
        assert math.cos(got["rotation"]) == pytest.approx(cosine, abs=1e-12)
        if "rate" in got:
            decay = got["rate"] * w
            rest = new - w + decay
            share = float(decay.norm() / (decay.norm() + rest.norm()))
            assert got["decay_share"] == pytest.approx(share, rel=1e-9)
    if name != "adam":
        family = {"sgd": 2, "adamw": 1, "fused adamw": 1}[name]
        size = float(seen["after"]["0.weight"].norm()) ** family
        assert record["tensors"]["0.weight"]["effective_lr"] == pytest.approx(
            optimizer.param_groups[0]["lr"] / size
        )
    assert ("predicted_rotation" in record["tensors"]["0.weight"]) == (name != "adam")
    assert "predicted_rotation" not in record["tensors"]["3.weight"]
    matrix = seen["after"]["3.weight"]
    exact = float(torch.linalg.matrix_norm(matrix, 2))
    sigma = record["tensors"]["3.weight"]["spectral_norm"]
    assert 0.99 * exact <= sigma <= exact * (1 + 1e-6)
    assert record["tensors"]["3.weight"]["stable_rank"] == pytest.approx(float(matrix.norm() / sigma) ** 2)


def test_tensors_that_take_turns_are_each_measured_rightly_in_their_turn_and_their_norms_always():
    net, same = network(), network()
    several = Monitor(net, adamw := OPTIMIZERS["adamw"](net.parameters()), plan_of(net), every=1, turns=3)
    at_once = Monitor(same, other := OPTIMIZERS["adamw"](same.parameters()), plan_of(same), every=1)
    train(net, adamw, 9)
    train(same, other, 9)
    counts = dict.fromkeys(several.records.names, 0)
    for turned, whole in zip(several.records, at_once.records, strict=True):
        for name, got in turned["tensors"].items():
            assert got.keys() >= whole["tensors"][name].keys() - {"rotation", "decay_share", "steps_to_go"}
            assert all(whole["tensors"][name][k] == pytest.approx(v, rel=1e-9, nan_ok=True) for k, v in got.items()
                       if k not in ("spectral_norm", "stable_rank"))  # fmt: skip
            counts[name] += "rotation" in got
    assert set(counts.values()) == {3}


def test_only_large_models_take_turns_and_the_parts_are_about_equal():
    sizes = [500, 10, 10, 300, 200, 990, 5]
    parts = _equal_parts(sizes, 2)
    assert sorted(i for part in parts for i in part) == list(range(7))
    loads = [sum(sizes[i] for i in part) for part in parts]
    assert abs(loads[0] - loads[1]) <= 10
    small, large = [torch.empty(1000)] * 5, [torch.empty(6_000_000, device="meta")] * 2
    assert (turns_for(small), turns_for(large), turns_for(large * 50)) == (1, 2, 4)


@pytest.mark.parametrize("name", ["fused adamw", "sgd"])
def test_a_watched_run_is_bit_for_bit_the_run_without_a_monitor(name):
    bare, watched = network(dtype=torch.float32), network(dtype=torch.float32)
    a, b = OPTIMIZERS[name](bare.parameters()), OPTIMIZERS[name](watched.parameters())
    Monitor(watched, b, plan_of(watched), every=2, spectra_every=1)
    train(bare, a, 11)
    state = torch.get_rng_state()
    train(watched, b, 11)
    assert all(torch.equal(p, q) for p, q in zip(bare.parameters(), watched.parameters(), strict=True))
    assert torch.equal(state, torch.get_rng_state())
    kept = {k for g in b.param_groups for k in g}
    assert kept == {k for g in a.param_groups for k in g}


def test_the_float32_rotation_of_a_tiny_step_keeps_four_digits():
    net, exact = network(dtype=torch.float32), network(dtype=torch.float64)
    exact.load_state_dict(
        {k: v.double() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    )
    logs = []
    for model in (net, exact):
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        monitor = Monitor(model, optimizer, every=1)
        train(model, optimizer, 1)
        logs.append(monitor.records.records[0]["tensors"]["0.weight"]["rotation"])
    assert logs[0] < 1e-4
    assert logs[0] == pytest.approx(logs[1], rel=1e-3)


def test_adamw_turns_a_scale_invariant_layer_at_the_predicted_rate_within_5_percent():
    # Inputs are random, so every row is live; labels are random, so the gradient is noise.
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(24, 48, bias=False), nn.BatchNorm1d(48, affine=False), nn.ReLU(), nn.Linear(48, 4)
    )
    net[3].requires_grad_(False)
    rows = (PlanRow("0.weight", (48, 24), "linear weight", 1.0, "test", scale_invariant="proven"),)
    optimizer = torch.optim.AdamW([net[0].weight], lr=2e-3, weight_decay=2.0)
    monitor = Monitor(net, optimizer, DecayPlan(rows, "standard", 1.0), every=5)
    generator = torch.Generator().manual_seed(3)
    for _ in range(1500):
        x, y = torch.randn((32, 24), generator=generator), torch.randint(0, 4, (32,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    _, measured = monitor.records.series("0.weight", "rotation")
    _, predicted = monitor.records.series("0.weight", "predicted_rotation")
    assert np.mean(measured[-150:]) == pytest.approx(predicted[-1], rel=0.05)
    assert "not-in-equilibrium" not in {f.code for f in monitor.findings()}


def test_a_run_that_has_just_started_is_told_how_many_steps_it_still_needs():
    net = network(dtype=torch.float32)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    monitor = Monitor(net, optimizer, plan_of(net), every=1)
    train(net, optimizer, 8)
    finding = next(f for f in monitor.close() if f.code == "not-in-equilibrium")
    assert "steps to go" in finding.sentence
    togo = monitor.records.series("0.weight", "steps_to_go")[1][-1]
    assert togo > 100


def test_a_rate_that_has_fallen_to_nothing_does_not_put_equilibrium_millions_of_steps_away():
    net = network(dtype=torch.float32)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    monitor = Monitor(net, optimizer, plan_of(net), every=1)
    train(net, optimizer, 8)
    before = next(f for f in monitor.findings() if f.code == "not-in-equilibrium")
    optimizer.param_groups[0]["lr"] = 1e-9
    train(net, optimizer, 4)
    assert monitor.records.series("0.weight", "steps_to_go")[1][-1] > 1e9
    after = next(f for f in monitor.close() if f.code == "not-in-equilibrium")
    assert after.sentence == before.sentence


def test_attached_laws_are_read_as_what_they_do():
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02, weight_decay=0.5)
    apply_decay(optimizer, "decoupled")
    monitor = Monitor(net, optimizer, plan_of(net), every=1)
    train(net, optimizer, 2)
    assert monitor.records.records[-1]["tensors"]["0.weight"]["rate"] == pytest.approx(0.01)
    assert "predicted_rotation" in monitor.records.records[-1]["tensors"]["0.weight"]


def test_balance_residuals_follow_the_law_of_the_optimizer():
    net = network()
    symmetry = Symmetry((("1.weight", 1), ("3.weight", -1)), 0.0)
    found = Symmetries((symmetry, Symmetry((("0.weight", 1),), 0.0)), math.inf, ())
    sgd = torch.optim.SGD(net.parameters(), lr=0.0, weight_decay=0.1)
    monitor = Monitor(net, sgd, every=1, symmetries=found, spectra_every=1)
    train(net, sgd, 1)
    a, b = float(net[1].weight.detach().norm() ** 2), float(net[3].weight.detach().norm() ** 2)
    assert monitor.records.records[0]["balance"] == {str(symmetry): pytest.approx((a - b) / (a + b))}
    net = network()
    adamw = torch.optim.AdamW(net.parameters(), lr=0.0, weight_decay=0.1)
    monitor = Monitor(net, adamw, every=1, symmetries=found, spectra_every=1)
    train(net, adamw, 1)
    a, b = (
        float((p.detach() ** 2 * adamw.state[p]["exp_avg_sq"].sqrt()).sum())
        for p in (net[1].weight, net[3].weight)
    )
    assert monitor.records.records[0]["balance"][str(symmetry)] == pytest.approx((a - b) / (a + b), rel=1e-6)


def test_a_resumed_run_continues_its_file_without_gap_or_repetition(tmp_path):
    def start(path, resume=False):
        net = network()
        optimizer = OPTIMIZERS["adamw"](net.parameters())
        return (
            net,
            optimizer,
            Monitor(net, optimizer, plan_of(net), every=2, path=path, resume=resume, read_every=1),
        )

    net, optimizer, monitor = start(tmp_path / "whole.jsonl")
    train(net, optimizer, 12)
    whole = monitor.records
    net, optimizer, monitor = start(tmp_path / "cut.jsonl")
    train(net, optimizer, 6)
    checkpoint = (net.state_dict(), optimizer.state_dict(), monitor.state_dict())
    checkpoint = torch.load(_saved(tmp_path, checkpoint), weights_only=False)
    train(net, optimizer, 4)  # after the checkpoint: lost in the crash, and dropped from the file
    net, optimizer, monitor = start(tmp_path / "cut.jsonl", resume=True)
    for thing, state in zip((net, optimizer, monitor), checkpoint, strict=True):
        thing.load_state_dict(state)
    batches = _later_half(net, optimizer)
    assert batches == 6
    again = monitor.records
    assert [r["step"] for r in again] == [r["step"] for r in whole] == [0, 2, 4, 6, 8, 10]
    assert again.records[-1]["tensors"] == whole.records[-1]["tensors"]


def _saved(folder, state):
    torch.save(state, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def _later_half(net, optimizer):
    """Steps 6 to 11 of the run that :func:`train` makes with its default seed."""
    generator, taken = torch.Generator().manual_seed(1), 0
    for t in range(12):
        x = torch.randn((32, IN), generator=generator, dtype=torch.float64)
        y = torch.randint(0, OUT, (32,), generator=generator)
        if t >= 6:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            taken += 1
    return taken


def test_an_existing_log_is_not_overwritten_and_one_of_another_model_is_refused(tmp_path):
    path, net = tmp_path / "run.jsonl", network()
    Monitor(net, OPTIMIZERS["sgd"](net.parameters()), path=path)
    with pytest.raises(InputError, match="resume=True"):
        Monitor(net, OPTIMIZERS["sgd"](net.parameters()), path=path)
    other = nn.Linear(2, 2)
    with pytest.raises(InputError, match="another model"):
        Monitor(other, OPTIMIZERS["sgd"](other.parameters()), path=path, resume=True)
    (tmp_path / "text.txt").write_text("hello\n")
    with pytest.raises(DataError, match="not JSON"):
        Monitor(net, OPTIMIZERS["sgd"](net.parameters()), path=tmp_path / "text.txt", resume=True)


def test_a_last_line_cut_by_a_crash_is_dropped_and_every_line_is_strict_json(tmp_path):
    path, net = tmp_path / "run.jsonl", network()
    optimizer = OPTIMIZERS["sgd"](net.parameters())
    monitor = Monitor(net, optimizer, path=path, every=1, read_every=1)
    train(net, optimizer, 3)
    monitor.log(val_loss=float("nan"))
    text = path.read_text()

    def no_constant(name):
        raise AssertionError(name)

    assert all(json.loads(line, parse_constant=no_constant) for line in text.splitlines())
    path.write_text(text[:-10])
    assert len(DecayLog.load(path)) == 3


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    net = network()
    optimizer = OPTIMIZERS["adamw"](net.parameters())
    monitor = Monitor(net, optimizer, plan_of(net), every=2, tensorboard=tmp_path)
    train(net, optimizer, 5)
    monitor.log(val_loss=1.5)
    monitor.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    told = [(e.step, e.value) for e in events.Scalars("decay/rotation/0.weight")]
    steps, values = monitor.records.series("0.weight", "rotation")
    np.testing.assert_allclose(told, np.column_stack([steps, values]), rtol=1e-6)
    assert events.Scalars("decay/scalars/val_loss")[0].value == 1.5


def test_a_validation_loss_that_turns_up_while_training_loss_falls_is_warned_about_once():
    net = network()
    optimizer = OPTIMIZERS["adamw"](net.parameters())
    monitor = Monitor(net, optimizer, every=1)
    curve = [(1.0, 1.1), (0.8, 1.0), (0.6, 1.03), (0.5, 1.06), (0.4, 1.1)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for t, (train_loss, val_loss) in enumerate([*curve, (0.3, 1.2)]):
            train(net, optimizer, 1, seed=t)
            monitor.log(train_loss=train_loss, val_loss=val_loss)
    assert [w.category for w in caught] == [ChoiceWarning]
    assert "Validation loss was best at step 1" in str(caught[0].message)
    assert "gap-opened" in {f.code for f in monitor.close()}


@pytest.mark.parametrize(
    "val", [[1, 0.9, 0.8, 0.7, 0.6], [1, 0.8, 0.805, 0.806, 0.807], [1, 0.9, 1.1, 0.8, 0.7]]
)
def test_no_gap_is_seen_where_validation_improves_or_wobbles(val):
    records = tuple(
        {"step": t, "scalars": {"train_loss": 1 - 0.1 * t, "val_loss": v}} for t, v in enumerate(val)
    )
    assert opened_gap(DecayLog({}, records)) is None


def test_decay_that_removed_nothing_is_called_negligible_and_growth_of_gradients_is_seen():
    steps = range(0, 1000, 10)
    header = {"tensors": {"w": {"scale_invariant": "proven"}}}
    flat = tuple({"step": t, "tensors": {"w": {"norm": 1.0, "grad_norm": 1.0, "rate": 1e-6}}} for t in steps)
    assert [f.code for f in log_findings(DecayLog(header, flat))] == ["decay-negligible"]
    growing = tuple(
        {
            "step": t,
            "tensors": {
                "w": {"norm": 1.0, "grad_norm": (1.05 - t / 1000) ** -0.5, "rate": 1e-2 * (1 - t / 1001)}
            },
        }
        for t in steps
    )
    assert [f.code for f in log_findings(DecayLog(header, growing))] == ["late-gradient-growth"]
    collapsed = ({"step": 0, "tensors": {"w": {"norm": 1.0}}}, {"step": 9, "tensors": {"w": {"norm": 1e-9}}})
    assert [f.severity for f in log_findings(DecayLog(header, collapsed))] == ["error"]


def test_sharpness_is_the_top_eigenvalue_of_the_hessian_plus_the_decay():
    torch.manual_seed(0)
    A, w = torch.randn(20, 6, dtype=torch.float64), nn.Parameter(torch.zeros(6, dtype=torch.float64))
    H = 2 * A.T @ A / 20
    exact = float(torch.linalg.eigvalsh(H)[-1])
    assert sharpness(lambda: (A @ w).square().mean(), [w], iterations=200, tolerance=1e-9) == pytest.approx(
        exact, rel=1e-6
    )
    model = nn.Linear(6, 1, bias=False).double()
    monitor = Monitor(model, torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.7))
    assert monitor.sharpness(lambda: model(A).square().mean(), 200) == pytest.approx(exact + 0.7, rel=1e-2)
    assert monitor.records.scalar("sharpness")[1][0] > 0.7
    with pytest.raises(InputError, match="differentiated twice"):
        sharpness(lambda: w.sum(), [w])


def test_the_gradient_of_infonce_is_tangential_to_1e_12():
    torch.manual_seed(0)
    z = torch.randn(16, 8, dtype=torch.float64, requires_grad=True)
    u = nn.functional.normalize(z, dim=-1)
    nn.functional.cross_entropy(u @ u.roll(1, 0).T / 0.1, torch.arange(16)).backward()
    radial, tangential = radial_tangential(z, z.grad)
    assert radial < 1e-12 * tangential
    net = network()
    optimizer = OPTIMIZERS["sgd"](net.parameters())
    monitor = Monitor(net, optimizer, every=1)
    hidden = net[:3](torch.randn(8, IN, dtype=torch.float64))
    monitor.watch_embedding(hidden, "hidden")
    net[3](nn.functional.normalize(hidden, dim=-1)).square().sum().backward()
    optimizer.step()
    scalars = monitor.records.records[0]["scalars"]
    assert abs(scalars["hidden/radial"]) < 1e-12 < scalars["hidden/tangential"]


def test_the_spectral_bound_is_never_below_what_the_layers_do():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    meter = SpectralMeter({"c": conv.weight}, start_steps=200)
    sigma = float(meter.spectral_norms()[0])
    assert sigma == pytest.approx(
        float(torch.linalg.matrix_norm(conv.weight.detach().reshape(5, -1), 2)), rel=1e-4
    )
    x = torch.randn(50, 3, 8, 8)
    gains = conv.requires_grad_(False)(x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
    assert float(gains.max()) <= 10 ** meter.log10_bound({"c": sigma})
    assert effective_rank(torch.eye(7)) == pytest.approx(7)
    assert effective_rank(torch.ones(4, 4)) == pytest.approx(1, abs=1e-6)


def test_the_first_spectral_norm_is_within_two_percent_even_where_the_spectrum_has_no_gap():
    torch.manual_seed(0)
    random = torch.randn(512, 256)
    repeated = torch.linalg.qr(torch.randn(40, 30))[0] * 3.0  # one singular value, thirty times
    low = torch.randn(50, 2) @ torch.randn(2, 60)
    meter = SpectralMeter({"random": random, "repeated": repeated, "low": low, "zero": torch.zeros(4, 4)})
    exact = [float(torch.linalg.matrix_norm(t, 2)) for t in meter.matrices.values()]
    for _ in range(2):
        got = meter.spectral_norms().tolist()
        assert got[0] == pytest.approx(exact[0], rel=0.02)
        assert got[1:3] == pytest.approx(exact[1:3], rel=1e-3)
        assert got[3] == 0
        assert all(g <= e * (1 + 1e-5) for g, e in zip(got, exact, strict=True))
    assert math.isnan(SpectralMeter({"diverged": torch.full((3, 3), math.nan)}).spectral_norms()[0])


def test_bfloat16_complex_and_channels_last_weights_are_measured():
    for p in (
        nn.Parameter(torch.randn(6, 4, dtype=torch.bfloat16)),
        nn.Parameter(torch.randn(6, 4, dtype=torch.complex64)),
        nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)),
        nn.Parameter(torch.randn(4, 6).t()),
    ):
        holder = nn.Module()
        holder.w = p
        optimizer = torch.optim.SGD([p], lr=0.1)
        monitor = Monitor(holder, optimizer, every=1)
        p.grad = torch.ones_like(p)
        old = p.detach().clone()
        optimizer.step()
        got = monitor.records.records[0]["tensors"]["w"]
        assert got["norm"] == pytest.approx(float(p.detach().abs().double().norm()), rel=1e-3)
        assert got["grad_norm"] == pytest.approx(math.sqrt(p.numel()), rel=1e-3)
        inner = float((old.conj() * p.detach()).sum().real) / float(
            old.abs().float().norm() * p.detach().abs().float().norm()
        )
        assert math.cos(got["rotation"]) == pytest.approx(inner, abs=1e-2)


def test_lightning_style_closures_are_measured_with_their_gradients():
    net = network()
    optimizer = OPTIMIZERS["sgd"](net.parameters())
    monitor, calls = Monitor(net, optimizer, every=2), []

    def closure():
        calls.append(1)
        optimizer.zero_grad()
        loss = net(torch.ones(4, IN, dtype=torch.float64) * torch.arange(4)[:, None]).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        assert optimizer.step(closure) is not None
    assert len(calls) == 3
    assert all(r["tensors"]["3.bias"]["grad_norm"] > 0 for r in monitor.records)


def test_what_cannot_be_watched_is_refused_in_one_sentence():
    net, other = network(), network(1)
    with pytest.raises(InputError, match="nothing to watch"):
        Monitor(net, OPTIMIZERS["sgd"](other.parameters()))
    with pytest.raises(InputError, match=r"torch\.optim\.Optimizer"):
        Monitor(net, "sgd")
    for bad in ({"every": 0}, {"every": 2.5}, {"read_every": 0}, {"spectra_every": -1}):
        with pytest.raises(UsageError, match="whole number"):
            Monitor(net, OPTIMIZERS["sgd"](net.parameters()), **bad)
    with pytest.raises(InputError, match="monitor's state"):
        Monitor(net, OPTIMIZERS["sgd"](net.parameters())).load_state_dict({"steps": 3})


def test_after_close_the_optimizer_has_no_hook_of_ours():
    net = network()
    optimizer = OPTIMIZERS["sgd"](net.parameters())
    monitor = Monitor(net, optimizer, every=1)
    monitor.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(net, optimizer, 2)
    assert len(monitor.records) == 0


@pytest.mark.parametrize(("residual", "code"), [(-1.0, "one-sided-decay"), (0.5, "unbalanced"), (0.1, None)])
def test_a_symmetry_decayed_on_one_side_is_told_from_one_that_is_not_stationary(residual, code):
    log = DecayLog({"tensors": {}}, ({"step": 0, "tensors": {}, "balance": {"a^+1 b^-1": residual}},))
    assert [f.code for f in log_findings(log)] == ([code] if code else [])
