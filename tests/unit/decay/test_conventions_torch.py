"""What weight_decay does in each optimizer, as the catalogue says: torch's own inputs, optax's and Keras's formulas."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from torch.testing._internal.common_optimizers import optim_db

from elltwo.decay.forms.apply import apply_decay
from elltwo.laws import decay as law
from elltwo.laws import decay_steps as reference
from elltwo.laws.decay_catalogue import find_optimizer
from elltwo.laws.decay_zero_gradient import ZERO_GRADIENT, step_without_gradient


def cases():
    """(class, keywords, implementation) for every input of torch's optimizer database, on every implementation."""
    for info in optim_db:
        for given in info.optim_inputs_func(device="cpu"):
            flags = [{}] + [{impl: True} for impl in ("foreach", "fused") if impl in info.supported_impls]
            for flag in flags:
                words = ", ".join(f"{k}={v}" for k, v in {**given.kwargs, **flag}.items())
                yield pytest.param(
                    info.optim_cls, given.kwargs, flag, id=f"{info.optim_cls.__name__}({words})"
                )


@pytest.mark.parametrize(("cls", "options", "flag"), list(cases()))
def test_one_step_with_a_zero_gradient_shrinks_as_the_catalogue_says(cls, options, flag):
    if cls.__name__ in ("LBFGS", "SparseAdam"):
        assert "weight_decay" not in options
        assert find_optimizer(f"torch.{cls.__name__}").unit == "none"
        return
    generator = torch.Generator().manual_seed(0)
    p = torch.nn.Parameter(torch.randn((3, 4), generator=generator, dtype=torch.float64))
    start = p.detach().numpy().copy()
    optimizer = cls([p], **options, **flag)
    group = optimizer.param_groups[0]
    p.grad = torch.zeros_like(p)
    optimizer.step()
    given = {k: v for k, v in group.items() if k not in ("params", "lr", "weight_decay")}
    expected = step_without_gradient(
        cls.__name__, start, float(group["lr"]), group.get("weight_decay", 0.0), **given
    )
    # In single precision: ASGD's learning rate, NAdam's product of momenta, Muon's 1 − lr·wd for a tensor lr.
    single = cls.__name__ in ("ASGD", "NAdam") or (cls.__name__ == "Muon" and torch.is_tensor(group["lr"]))
    rtol = 1e-7 if single else 1e-13
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=rtol, atol=0)


def test_every_torch_optimizer_is_in_the_catalogue_with_its_own_default():
    for info in optim_db:
        row = find_optimizer(f"torch.{info.optim_cls.__name__}")
        p = torch.nn.Parameter(torch.zeros(2, 2))
        default = info.optim_cls([p]).param_groups[0].get("weight_decay", 0.0)
        assert default == row.default, row.name
        assert info.optim_cls.__name__ in ZERO_GRADIENT


@pytest.mark.parametrize("name", ["AdamW", "Adafactor", "Muon"])
def test_decoupled_optimizers_shrink_bit_for_bit(name):
    p = torch.nn.Parameter(
        torch.randn((3, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    expected = p.detach().numpy() * (1 - 1e-2 * 0.3)
    p.grad = torch.zeros_like(p)
    getattr(torch.optim, name)([p], lr=1e-2, weight_decay=0.3).step()
    assert np.array_equal(p.detach().numpy(), expected)


def test_a_missing_gradient_is_not_decayed_and_a_zero_gradient_is():
    p, q = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = torch.optim.AdamW([p, q], lr=0.1, weight_decay=0.1)
    p.grad = torch.zeros(1)
    optimizer.step()
    assert (p.detach().item(), q.detach().item()) == (pytest.approx(0.99), 1.0)


def optax_adamw(w, g, state, lr, wd):
    """optax.adamw as documented: scale_by_adam, add_decayed_weights, scale by −lr; then w + update."""
    u, state = reference.adam_direction(g, state)
    return w + -lr * (u + wd * w), state


def optax_adam_l2(w, g, state, lr, wd):
    """optax: add_decayed_weights first in the chain, then scale_by_adam."""
    u, state = reference.adam_direction(g + wd * w, state)
    return w + -lr * u, state


def keras_adamw(w, g, state, lr, wd):
    """Keras 3: variable − variable·wd·lr, then Adam with epsilon outside the bias correction (ε̂, 1e-7)."""
    w = w - w * wd * lr
    m, v, t = 0.9 * state.m + 0.1 * g, 0.999 * state.v + 0.001 * g * g, state.t + 1
    alpha = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - alpha * m / (np.sqrt(v) + 1e-7), reference.AdamMoments(m, v, t)


def keras_adam_l2(w, g, state, lr, wd):
    """Keras: kernel_regularizer=L2(wd/2) adds wd·w to the gradient before Adam."""
    m, v, t = 0.9 * state.m + 0.1 * (g + wd * w), 0.999 * state.v + 0.001 * (g + wd * w) ** 2, state.t + 1
    alpha = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - alpha * m / (np.sqrt(v) + 1e-7), reference.AdamMoments(m, v, t)


@pytest.mark.parametrize(
    ("peer", "law_name", "eps"),
    [
        (optax_adamw, "decoupled", None),
        (optax_adam_l2, "coupled", None),
        # Keras's ε stands beside √v, torch's beside √v̂ = √v/√(1 − β₂ᵗ): the same number once divided by that.
        (keras_adamw, "decoupled", 1e-7),
        (keras_adam_l2, "coupled", 1e-7),
    ],
)
def test_our_forms_on_torch_adamw_follow_the_documented_formulas_of_optax_and_keras(peer, law_name, eps):
    rng = np.random.default_rng(0)
    p = torch.nn.Parameter(torch.from_numpy(rng.normal(size=(3, 4))))
    w, state = p.detach().numpy().copy(), reference.AdamMoments(np.zeros((3, 4)), np.zeros((3, 4)))
    optimizer = torch.optim.AdamW([p], lr=0.02, weight_decay=0.4)
    apply_decay(optimizer, law_name)
    for t in range(1, 21):
        g = rng.normal(size=(3, 4)) + 3.0
        p.grad = torch.from_numpy(g.copy())
        if eps is not None:
            optimizer.param_groups[0]["eps"] = eps / np.sqrt(1 - 0.999**t)
        optimizer.step()
        w, state = peer(w, g, state, 0.02, 0.4)
    np.testing.assert_allclose(p.detach().numpy(), w, rtol=1e-13, atol=1e-14)


def test_the_order_in_the_chain_is_the_difference_between_l2_and_decoupled_decay():
    rng = np.random.default_rng(1)
    w, state = rng.normal(size=5), reference.AdamMoments(np.zeros(5), np.zeros(5))
    g = rng.normal(size=5)
    assert (
        np.abs(optax_adamw(w, g, state, 0.1, 0.5)[0] - optax_adam_l2(w, g, state, 0.1, 0.5)[0]).max() > 1e-3
    )


def test_composers_decay_is_ours_independent_of_the_learning_rate():
    p = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.AdamW([p], lr=0.05, weight_decay=0.01)
    apply_decay(optimizer, "independent", peak=0.05)
    expected = 1.0
    for t in range(10):
        lr = optimizer.param_groups[0]["lr"] = 0.05 * (1 - t / 10)
        p.grad = torch.zeros_like(p)
        optimizer.step()
        expected *= 1 - (lr / 0.05) * 0.01  # decoupled_weight_decay.py: decay_factor = lr / initial_lr
        assert law.independent_shrink(0.01, lr, 0.05) == pytest.approx(1 - (lr / 0.05) * 0.01)
    assert float(p.detach()[0]) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_linear_layer_with_weight_decay_is_ridge_to_1e_10(momentum):
    rng = np.random.default_rng(2)
    n, X = 60, rng.normal(size=(60, 8))
    y, weight_decay = X @ rng.normal(size=8) + rng.normal(size=60), 0.05
    layer = torch.nn.Linear(8, 1, bias=False, dtype=torch.float64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=momentum, weight_decay=weight_decay)
    inputs, target = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    for _ in range(2000):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(layer(inputs), target).backward()
        optimizer.step()
    alpha = law.as_ridge_alpha(weight_decay, n)
    ridge = np.linalg.solve(X.T @ X + alpha * np.eye(8), X.T @ y)
    assert np.abs(layer.weight.detach().numpy().ravel() - ridge).max() < 1e-10


class Normalised(torch.nn.Module):
    """A batch-normalised perceptron in float64 without eps: its first two layers are scale-invariant."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(6, 16, bias=False, dtype=torch.float64)
        self.second = torch.nn.Linear(16, 16, bias=False, dtype=torch.float64)
        self.head = torch.nn.Linear(16, 3, dtype=torch.float64).requires_grad_(False)

    def forward(self, x):
        for layer in (self.first, self.second):
            x = torch.nn.functional.batch_norm(layer(x), None, None, training=True, eps=1e-300).tanh()
        return self.head(x)


def losses(scale, lrs, weight_decay, steps=200):
    torch.manual_seed(0)
    net = Normalised()
    x, y = torch.randn(64, 6, dtype=torch.float64), torch.randint(0, 3, (64,))
    weights = [net.first.weight, net.second.weight]
    with torch.no_grad():
        for w in weights:
            w.mul_(scale)
    optimizer = torch.optim.SGD(weights, lr=0.1, weight_decay=weight_decay)
    out = []
    for t in range(steps):
        optimizer.param_groups[0]["lr"] = float(lrs[t])
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return np.array(out)


# A rate at which the run is not chaotic: rounding errors then stay at their size for 200 steps.
LR, WD = 0.03, 0.05


def test_van_laarhovens_rescaling_holds_on_a_batch_normalised_network_to_1e_11():
    base = losses(1.0, np.full(200, LR), WD)
    same = law.van_laarhoven(10.0, LR, WD)
    assert base[0] - base[-1] > 0.05
    assert np.abs(losses(10.0, np.full(200, same.lr), same.weight_decay) - base).max() < 1e-11


def test_growing_learning_rates_replace_decay_on_a_batch_normalised_network_to_1e_11():
    base = losses(1.0, np.full(200, LR), WD)
    assert np.abs(losses(1.0, law.exponential_rates(LR, WD, 200), 0.0) - base).max() < 1e-11
    assert np.abs(losses(1.0, np.full(200, LR), 0.0) - base).max() > 1e-4  # decay does matter here


def test_sgd_with_lr_times_decay_constant_forgets_the_start_at_the_same_rate():
    for lr in (0.01, 0.1):
        p = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = torch.optim.SGD([p], lr=lr, weight_decay=1e-3 / lr)
        for _ in range(100):
            p.grad = torch.zeros_like(p)
            optimizer.step()
        assert p.detach().item() == pytest.approx((1 - 1e-3) ** 100, rel=1e-13)
