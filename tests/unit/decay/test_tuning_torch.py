"""λ by curvature and by derivative: the pieces against exact answers, the methods on a small real problem."""

import math
from copy import deepcopy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from elltwo import decay_plan
from elltwo.decay.tuning.choose import tune_weight_decay
from elltwo.decay.tuning.curvature import (
    LayerCurvature,
    _Factors,
    _outputs,
    _positions,
    effective_parameters,
    layer_curvatures,
    trained_layers,
)
from elltwo.decay.tuning.sensitivity import WeightSensitivity
from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import DecayPlan
from elltwo.labs.tasks import TASKS, batches, fit, validation_loss


def clusters(n=300, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = np.eye(3)[y] @ rng.normal(size=(3, 8)) + rng.normal(size=(n, 8))
    y = np.where(rng.random(n) < noise, rng.integers(0, 3, n), y)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def small_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def softmax_residuals(p):
    """E (e_y − p)(e_y − p)ᵀ with y drawn from p, the mean over rows."""
    return torch.diag(p.mean(0)) - p.T @ p / len(p)


@pytest.mark.parametrize("bias", [False, True])
def test_one_linear_layers_kronecker_factors_are_the_moments_of_inputs_and_of_softmax_residuals(bias):
    torch.manual_seed(0)
    net, (x, y) = nn.Linear(8, 3, bias=bias), clusters(4000)
    torch.manual_seed(1)
    found = layer_curvatures(net, {"": net}, [(x, y)])[""]
    p = torch.softmax(net(x).detach(), 1).double()
    a = (x - x.mean(0) if bias else x).double()  # a free bias takes the mean
    torch.testing.assert_close(found.inputs[0], torch.linalg.eigvalsh(a.T @ a), rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(
        found.outputs[0], torch.linalg.eigvalsh(softmax_residuals(p)), rtol=0.1, atol=3e-3
    )


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(2, 6, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), bias=False),
        nn.Conv2d(4, 6, 3, groups=2, padding="same", padding_mode="circular", bias=False),
        nn.Conv2d(4, 8, 3, groups=4, padding="valid", bias=False),
        nn.Conv1d(3, 6, 3, padding=1, padding_mode="reflect", bias=False),
    ],
)
def test_a_convolution_is_the_linear_layer_on_its_patches(conv):
    """Where every position is a sample of its own, a convolution layer has its linear twin's factors exactly."""
    torch.manual_seed(0)
    conv = deepcopy(conv).double()
    shape = (5, conv.in_channels, 9) if isinstance(conv, nn.Conv1d) else (5, conv.in_channels, 9, 8)
    x = torch.randn(shape, dtype=torch.float64)
    (factors := _Factors(conv)).handle.remove()
    a, out = _positions(conv, x), conv(x)
    w = conv.weight.detach().reshape(conv.groups, conv.out_channels // conv.groups, -1)
    twin = torch.einsum("kra,koa->kro", a, w)
    torch.testing.assert_close(twin, _outputs(conv, out))
    gradient = torch.randn_like(out)
    factors._both(x)(gradient)
    (weight,) = torch.autograd.grad(out, conv.weight, gradient)
    rows = torch.einsum("kro,kra->koa", _outputs(conv, gradient), a)
    torch.testing.assert_close(rows.reshape(weight.shape), weight)
    assert factors.rows == out[:, 0].numel()
    torch.testing.assert_close(factors.inputs, torch.einsum("kra,krb->kab", a, a))


def exact_precision_matrix(net, x, name):
    """Gauss–Newton matrix of one weight by full Jacobians, and its Schur complement over the layer's free bias."""
    names = [f"{name}.weight", f"{name}.bias"]
    fixed = {n: p.detach() for n, p in net.named_parameters()}
    jacobian = torch.vmap(
        torch.func.jacrev(lambda q, row: torch.func.functional_call(net, q, (row[None],))[0]), (None, 0)
    )
    jacobians = jacobian(fixed, x)
    p = torch.softmax(net(x).detach(), 1)
    outer = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    joint = torch.cat([jacobians[n].flatten(2) for n in names], 2)
    full = torch.einsum("nid,nij,nje->de", joint, outer, joint)
    k = fixed[names[0]].numel()
    return full[:k, :k] - full[:k, k:] @ torch.linalg.pinv(full[k:, k:]) @ full[k:, :k]


def test_a_small_conv_nets_kronecker_evidence_is_near_the_one_of_its_full_gauss_newton_matrix():
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3)
    )
    x = torch.randn(200, 2, 8, 8)
    y = (x.flatten(1) @ torch.randn(128, 3)).argmax(1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    net, x = net.double(), x.double()
    draws = [(x, y)] * 20
    found = layer_curvatures(net, trained_layers(net), draws)
    for name in ("0", "2", "5"):
        exact = torch.linalg.eigvalsh(exact_precision_matrix(net, x, name)).clamp_min(0)
        # Twenty passes over the same rows: the summed curvature is twenty times that of one.
        mean = LayerCurvature(found[name].inputs / 20, found[name].outputs)
        assert float(mean.inputs.sum() * mean.outputs.sum()) == pytest.approx(float(exact.sum()), rel=0.1)
        for precision in (10.0, 100.0):
            gamma = float((exact / (exact + precision)).sum())
            assert gamma < effective_parameters(mean, precision) < 1.6 * gamma


def test_a_weight_seen_at_several_positions_of_one_sample_has_its_gradients_averaged_over_positions():
    torch.manual_seed(0)
    layer = nn.Linear(4, 3, bias=False)
    pooled = nn.Sequential(layer, nn.Flatten(), nn.Linear(15, 2))
    x = torch.randn(50, 5, 4)
    found = layer_curvatures(pooled, {"0": layer}, [(x, None)])["0"]
    assert float(found.inputs.sum()) == pytest.approx(float(x.square().sum()), rel=1e-5)
    single = layer_curvatures(pooled, {"2": pooled[2]}, [(x, None)])["2"]
    head = pooled[2].weight.detach()
    bound = float(single.outputs.max()) * float(torch.linalg.matrix_norm(head, 2)) ** 2
    assert float(found.outputs.sum()) <= 2 * bound / 5


def test_what_the_layerwise_evidence_does_not_cover_is_said_and_a_plan_can_leave_layers_out():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)
            self.norm = nn.BatchNorm2d(4)
            self.volume = nn.Conv3d(1, 2, 1)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            h = self.norm(self.conv(x.reshape(-1, 1, 4, 2).repeat(1, 1, 1, 2))).relu().flatten(2).mT
            h = self.attention(h, h, h)[0].mean(1) + self.volume(x.sum() * torch.ones(1, 1, 1, 1, 1)).sum()
            return self.head(h)

    torch.manual_seed(0)
    net, (x, y) = Mixed(), clusters(60)
    options = {"method": "marginal", "model": net, "batches": batches(x, y, 0), "samples": 60, "epochs": 3}
    found = tune_weight_decay(**options)
    assert set(found.strengths) == {"conv.weight", "head.weight"}
    assert "Not covered, and left without decay: volume.weight, attention.in_proj_weight" in str(found)
    plan = decay_plan(net, x)
    assert plan["conv.weight"].scale_invariant in ("proven", "approximate")
    assert set(tune_weight_decay(plan=plan, **options).strengths) == {"head.weight"}
    exempt = {"head.weight": 0.0, "attention.out_proj.weight": 0.0}
    with pytest.raises(UsageError, match="no linear or convolution layer"):
        tune_weight_decay(plan=decay_plan(net, x, overrides=exempt), **options)
    with pytest.raises(InputError, match="fewer than refresh"):
        tune_weight_decay(**{**options, "epochs": 2})


def test_effective_parameters_count_directions_that_the_data_determine():
    curvature = LayerCurvature(torch.tensor([[1e9, 1e9, 1e-9]]), torch.tensor([[1.0, 1.0]]))
    assert effective_parameters(curvature, 1.0) == pytest.approx(4.0, abs=1e-6)
    half = LayerCurvature(torch.tensor([[2.0]]), torch.tensor([[0.5]]))
    assert effective_parameters(half, 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("optimizer", "lam", "lr"), [("adamw", 1e-7, 2e4), ("adam", 0.05, 2e4), ("sgd", 0.05, 0.02)]
)
def test_the_carried_derivative_is_that_of_the_weights_by_log_lambda_where_the_loss_is_quadratic(
    optimizer, lam, lr
):
    """Squared loss of a linear layer; a large, frozen second moment makes Adam's map linear, so that s is exact."""
    torch.manual_seed(0)
    x, y = torch.randn(40, 5, dtype=torch.float64), torch.randn(40, 2, dtype=torch.float64)

    def run(weight_decay):
        torch.manual_seed(1)
        net = nn.Linear(5, 2, bias=False).double()
        trace = WeightSensitivity(net, nn.functional.mse_loss, [True], optimizer)
        trace.moments["second"][0].fill_(1e12)
        for t in range(200):
            trace.step(x, y, lr * (1 - t / 200), weight_decay)
        return net.weight.detach().clone(), trace

    h = 1e-4
    up, down = run(lam * math.exp(h))[0], run(lam * math.exp(-h))[0]
    _, trace = run(lam)
    assert float(trace.moments["s"][0].norm()) > 1e-3 * float(up.norm())
    torch.testing.assert_close(trace.moments["s"][0], (up - down) / (2 * h), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_the_hypergradient_of_a_short_run_of_a_network_is_near_the_finite_difference(optimizer):
    (x, y), (vx, vy) = clusters(60), clusters(300, seed=1)
    x, vx = x.double(), vx.double()
    lr, lam, h = {"adamw": (3e-3, 1.0, 0.03), "adam": (3e-3, 0.1, 0.03), "sgd": (0.03, 0.1, 0.03)}[optimizer]

    def run(weight_decay):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3)).double()
        decayed = [p.dim() > 1 for p in net.parameters()]
        trace = WeightSensitivity(net, nn.functional.cross_entropy, decayed, optimizer)
        for t in range(150):
            trace.step(x, y, lr * (1 - t / 150), weight_decay)
        return float(nn.functional.cross_entropy(net(vx), vy).detach()), trace.slope_of(vx, vy)

    measured = (run(lam * math.exp(h))[0] - run(lam * math.exp(-h))[0]) / (2 * h)
    assert run(lam)[1] == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_the_step_that_carries_the_derivative_is_torchs_own(optimizer):
    x, y = clusters()
    x, ours, stock = x.double(), small_net().double(), small_net().double()
    decayed = [p.dim() > 1 for p in ours.parameters()]
    run = WeightSensitivity(ours, nn.functional.cross_entropy, decayed, optimizer, momentum=0.8)
    groups = [{"params": [p], "weight_decay": 0.3 * (p.dim() > 1)} for p in stock.parameters()]
    made = {
        "adamw": lambda: torch.optim.AdamW(groups, lr=1e-2),
        "adam": lambda: torch.optim.Adam(groups, lr=1e-2),
        "sgd": lambda: torch.optim.SGD(groups, lr=1e-2, momentum=0.8),
    }
    judge = made[optimizer]()
    for _ in range(30):
        run.step(x, y, 1e-2, 0.3)
        judge.zero_grad()
        nn.functional.cross_entropy(stock(x), y).backward()
        judge.step()
    for a, b in zip(ours.parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


@pytest.fixture(scope="module")
def grid():
    """Losses on digits of AdamW and of Adam + L2: hardly any decay, and the best λ of the lab's grid."""
    task = TASKS["digits"](0)
    adamw = [validation_loss(task, fit(task, 0, wd)) for wd in (0.01, 1.8)]
    coupled = [validation_loss(task, fit(task, 0, wd, coupled=True)) for wd in (1e-5, 7e-3)]
    return task, adamw, coupled


def test_on_digits_with_random_labels_the_layerwise_evidence_comes_within_one_percent_of_a_grid(grid):
    task, _, coupled = grid
    torch.manual_seed(0)
    net = task.network()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = tune_weight_decay(
        method="marginal",
        model=net,
        batches=batches(task.x, task.y, 0),
        samples=len(task.x),
        epochs=task.epochs,
    )
    loss = validation_loss(task, fit(task, 0, 0.0, coupled=True, strengths=found.strengths))
    assert loss <= 1.01 * min(coupled)
    assert loss < 0.97 * coupled[0]  # hardly any decay
    assert set(found.strengths) == {"0.weight", "2.weight", "4.weight"}
    assert 1.0 < found.cost < 1.5
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_on_digits_with_random_labels_the_rule_without_a_run_comes_within_one_percent_of_a_grid(grid):
    task, adamw, _ = grid
    run = {"lr": 1e-3, "batch": 50, "samples": 900, "epochs": task.epochs, "schedule": "linear"}
    loss = validation_loss(task, fit(task, 0, tune_weight_decay(**run).weight_decay))
    assert loss <= 1.01 * min(adamw)
    assert loss < 0.97 * adamw[0]


def test_the_hypergradient_brings_a_strength_that_is_far_off_toward_the_best():
    rows, labels = clusters(660, noise=0.4)
    (x, y), (vx, vy) = (rows[:60], labels[:60]), (rows[60:], labels[60:])
    options = {
        "model": small_net(),
        "batches": batches(x, y, 0),
        "validation": batches(vx, vy, 1),
        "lr": 1e-2,
    }
    low = tune_weight_decay(method="hypergradient", steps=600, start=1e-3, **options)
    assert low.weight_decay == pytest.approx(0.064)
    assert low.cost == 6.0
    assert "moved λ 0.001 → 0.004 → 0.016 → 0.064" in str(low)
    assert "has not settled; go on from start=0.064" in str(low)
    settled = tune_weight_decay(method="hypergradient", steps=600, start=3.0, **options)
    again = tune_weight_decay(method="hypergradient", steps=600, start=settled.weight_decay, **options)
    assert again.weight_decay == pytest.approx(settled.weight_decay, rel=0.35)
    assert "not settled" not in str(again)
    sgd = tune_weight_decay(
        method="hypergradient", steps=600, start=1e-4, optimizer="sgd", **{**options, "lr": 0.1}
    )
    assert sgd.weight_decay == pytest.approx(0.0064)
    assert "3 SGD runs" in str(sgd)
    assert "λ is coupled" in str(sgd)
    with pytest.raises(UsageError, match="no timescale to start from"):
        tune_weight_decay(method="hypergradient", steps=600, optimizer="adam", **options)
    with pytest.raises(UsageError, match="optimizer"):
        tune_weight_decay(method="hypergradient", steps=600, optimizer="lion", **options)


def test_dropout_and_running_statistics_do_not_disturb_the_carried_derivative():
    """Masks are drawn alike in both passes of a step, and a batch norm's averages move once."""
    x, y = clusters(60)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 3))
    stock = deepcopy(net)
    run = WeightSensitivity(
        net, nn.functional.cross_entropy, [p.dim() > 1 for p in net.parameters()], "sgd", 0.0
    )
    torch.manual_seed(1)
    for _ in range(20):
        run.step(x, y, 0.1, 0.01)
    sizes = [float(s.norm()) for s in run.moments["s"]]
    assert max(sizes) < float(torch.cat([p.detach().flatten() for p in net.parameters()]).norm())
    groups = [{"params": [p], "weight_decay": 0.01 * (p.dim() > 1)} for p in stock.parameters()]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    torch.manual_seed(1)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(stock(x), y).backward()
        optimizer.step()
    for name, value in stock.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_models_and_batches_that_cannot_serve_are_refused_in_one_sentence():
    x, y = clusters()
    epoch = batches(x, y, 0)
    with pytest.raises(UsageError, match=r"needs nn\.Linear"):
        tune_weight_decay(method="marginal", model=nn.Conv3d(1, 1, 1), batches=epoch, samples=10)
    with pytest.raises(InputError, match="gave no batch"):
        tune_weight_decay(method="marginal", model=small_net(), batches=list, samples=10, epochs=3)
    with pytest.raises(InputError, match="gave no batch"):
        tune_weight_decay(method="hypergradient", model=small_net(), batches=list, validation=epoch, steps=20)
    for steps, validation, message in (
        (0, epoch, "steps must be"),
        (20, list, r"validation\(\) gave no batch"),
    ):
        with pytest.raises(InputError, match=message):
            tune_weight_decay(
                method="hypergradient", model=small_net(), batches=epoch, validation=validation, steps=steps
            )
    bad = [(torch.full((4, 8), float("nan")), torch.zeros(4, dtype=torch.int64))]
    for method, more in (("marginal", {"samples": 4}), ("hypergradient", {"validation": epoch, "steps": 20})):
        with pytest.raises(InputError, match="not finite"):
            tune_weight_decay(method=method, model=small_net(), batches=lambda: bad, **more)


def test_a_plan_of_scale_invariant_weights_alone_has_no_such_slope():
    net = nn.Sequential(nn.Linear(8, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    x, y = clusters()
    plan = decay_plan(net, x[:32], overrides={"3.weight": 0.0})
    assert isinstance(plan, DecayPlan)
    with pytest.raises(UsageError, match="scale-invariant"):
        tune_weight_decay(
            method="hypergradient",
            model=net,
            plan=plan,
            batches=batches(x, y, 0),
            validation=batches(x, y, 1),
            steps=20,
        )
