"""λ by curvature and by derivative: the pieces against exact answers, the methods on a small real problem."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from elltwo.decay.tuning.choose import tune_weight_decay
from elltwo.decay.tuning.hypergradient import AdamWSensitivity
from elltwo.decay.tuning.marginal import LayerCurvature, effective_parameters, layer_curvatures
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


def test_one_linear_layers_kronecker_factors_are_the_moments_of_inputs_and_of_softmax_residuals():
    torch.manual_seed(0)
    net, (x, y) = nn.Linear(8, 3), clusters(4000)
    torch.manual_seed(1)
    found = layer_curvatures(net, {"": net}, [(x, y)])[""]
    p = torch.softmax(net(x).detach(), 1)
    outputs = torch.diag(p.mean(0)) - p.T @ p / len(p)  # E (e_y − p)(e_y − p)ᵀ with y drawn from p
    torch.testing.assert_close(found.inputs, torch.linalg.eigvalsh(x.T @ x), rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(found.outputs, torch.linalg.eigvalsh(outputs), rtol=0.1, atol=3e-3)


def test_effective_parameters_count_directions_that_the_data_determine():
    curvature = LayerCurvature(torch.tensor([1e9, 1e9, 1e-9]), torch.tensor([1.0, 1.0]))
    assert effective_parameters(curvature, 1.0) == pytest.approx(4.0, abs=1e-6)
    half = LayerCurvature(torch.tensor([2.0]), torch.tensor([0.5]))
    assert effective_parameters(half, 1.0) == pytest.approx(0.5)


def test_the_carried_derivative_is_that_of_the_weights_by_log_lambda_where_the_loss_is_quadratic():
    """Squared loss of a linear layer with a large, frozen second moment: the map is linear, so s is exact."""
    torch.manual_seed(0)
    x, y = torch.randn(40, 5, dtype=torch.float64), torch.randn(40, 2, dtype=torch.float64)

    def run(weight_decay):
        torch.manual_seed(1)
        net = nn.Linear(5, 2, bias=False).double()
        trace = AdamWSensitivity(net, nn.functional.mse_loss, [True])
        trace.moments["second"][0].fill_(1e12)
        for t in range(200):
            trace.step(x, y, 2e4 * (1 - t / 200), weight_decay)
        return net.weight.detach().clone(), trace

    lam = 1e-7
    h = 1e-4
    up, down = run(lam * math.exp(h))[0], run(lam * math.exp(-h))[0]
    _, trace = run(lam)
    torch.testing.assert_close(trace.moments["s"][0], (up - down) / (2 * h), rtol=1e-3, atol=1e-6)


def test_the_step_that_carries_the_derivative_is_torchs_adamw():
    x, y = clusters()
    ours, stock = small_net(), small_net()
    run = AdamWSensitivity(ours, nn.functional.cross_entropy, [p.dim() > 1 for p in ours.parameters()])
    groups = [{"params": [p], "weight_decay": 0.3 * (p.dim() > 1)} for p in stock.parameters()]
    optimizer = torch.optim.AdamW(groups, lr=1e-2)
    for _ in range(30):
        run.step(x, y, 1e-2, 0.3)
        optimizer.zero_grad()
        nn.functional.cross_entropy(stock(x), y).backward()
        optimizer.step()
    for a, b in zip(ours.parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


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
    x, y = clusters(60, noise=0.4)
    vx, vy = clusters(600, noise=0.4)
    options = {
        "model": small_net(),
        "batches": batches(x, y, 0),
        "validation": batches(vx, vy, 1),
        "lr": 1e-2,
    }
    low = tune_weight_decay(method="hypergradient", steps=600, start=1e-3, **options)
    assert low.weight_decay > 2e-3
    assert "moved λ from 0.001" in str(low)


def test_models_and_batches_that_cannot_serve_are_refused_in_one_sentence():
    x, y = clusters()
    epoch = batches(x, y, 0)
    with pytest.raises(UsageError, match=r"needs nn\.Linear"):
        tune_weight_decay(method="marginal", model=nn.Conv1d(1, 1, 1), batches=epoch, samples=10)
    with pytest.raises(InputError, match="gave no batch"):
        tune_weight_decay(method="marginal", model=small_net(), batches=list, samples=10, epochs=3)
    with pytest.raises(InputError, match="gave no batch"):
        tune_weight_decay(method="hypergradient", model=small_net(), batches=list, validation=epoch, steps=20)
    with pytest.raises(InputError, match="too short"):
        tune_weight_decay(method="hypergradient", model=small_net(), batches=epoch, validation=epoch, steps=5)
    bad = [(torch.full((4, 8), float("nan")), torch.zeros(4, dtype=torch.int64))]
    for method, more in (("marginal", {"samples": 4}), ("hypergradient", {"validation": epoch, "steps": 20})):
        with pytest.raises(InputError, match="not finite"):
            tune_weight_decay(method=method, model=small_net(), batches=lambda: bad, **more)


def test_a_plan_of_scale_invariant_weights_alone_has_no_such_slope():
    from elltwo import decay_plan

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
