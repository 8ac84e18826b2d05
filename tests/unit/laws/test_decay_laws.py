"""The laws of weight decay, each against a simulation or an independent derivation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import InputError, UsageError
from elltwo.laws import decay, decay_equilibrium, decay_schedules
from elltwo.laws.decay_catalogue import CATALOGUE, UNITS, find_optimizer
from elltwo.laws.decay_rescale import RULES, factor_for

rates = st.floats(1e-6, 0.5)


def normalised_regression(seed=0, n=40, p=6):
    """A scale-invariant loss, ½‖X w/‖w‖ − y‖²/n, and its gradient by the chain rule."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, p)), rng.normal(size=n)

    def loss(w):
        return 0.5 * np.mean((X @ w / np.linalg.norm(w) - y) ** 2)

    def gradient(w):
        norm = np.linalg.norm(w)
        unit = w / norm
        inner = X.T @ (X @ unit - y) / n
        return (inner - unit * (unit @ inner)) / norm

    return loss, gradient, rng.normal(size=p)


def losses_of_sgd(loss, gradient, w, lrs, weight_decay):
    out = []
    for lr in lrs:
        out.append(loss(w))
        w = w - lr * (gradient(w) + weight_decay * w)
    return np.array(out)


def test_van_laarhoven_rescaling_leaves_the_losses_of_sgd_unchanged_to_1e_11():
    loss, gradient, w = normalised_regression()
    base = losses_of_sgd(loss, gradient, w, np.full(200, 0.3), 0.02)
    for scale in (0.1, 10.0):
        run = decay.van_laarhoven(scale, 0.3, 0.02)
        other = losses_of_sgd(loss, gradient, run.weight_scale * w, np.full(200, run.lr), run.weight_decay)
        assert np.abs(base - other).max() < 1e-11
    assert np.ptp(base) > 1e-2  # the run moves, so the agreement says something


def test_exponential_learning_rates_replace_decay_on_scale_invariant_weights_to_1e_11():
    loss, gradient, w = normalised_regression(1)
    with_decay = losses_of_sgd(loss, gradient, w, np.full(200, 0.3), 0.02)
    without = losses_of_sgd(loss, gradient, w, decay.exponential_rates(0.3, 0.02, 200), 0.0)
    assert np.abs(with_decay - without).max() < 1e-11


@given(rates, rates)
def test_a_weight_without_updates_is_halved_after_one_half_life(lr, weight_decay):
    steps = decay.half_life(lr, weight_decay)
    assert (1 - lr * weight_decay) ** steps == pytest.approx(0.5, rel=1e-4)


def test_retained_share_and_effective_decay_agree_with_a_loop_over_the_schedule():
    lrs = 3e-3 * decay_schedules.schedule_factors("cosine", 500, warmup=50, final=0.1)
    weight, spent = 1.0, 0.0
    for lr in lrs:
        weight *= 1 - lr * 0.7
        spent += lr * 0.7
    assert decay.retained(lrs, 0.7) == pytest.approx(weight, rel=1e-12)
    assert decay.effective_decay(lrs, 0.7) == pytest.approx(spent, rel=1e-12)
    assert decay.retained(lrs, 0.7) == pytest.approx(math.exp(-spent), rel=2e-3)  # first order


@given(rates, rates, st.floats(0.01, 100))
def test_the_timescale_depends_on_lr_times_weight_decay_alone(lr, weight_decay, c):
    assert decay.timescale(lr * c, weight_decay / c) == pytest.approx(decay.timescale(lr, weight_decay))


def test_a_decay_of_more_than_everything_is_refused():
    with pytest.raises(InputError, match="must stay in"):
        decay.shrink_factors([0.5], 3.0)
    with pytest.raises(InputError, match="positive"):
        decay.timescale(0.0, 0.1)
    assert decay.timescale(0.1, 0.0) == math.inf


@pytest.mark.parametrize("loss", ["mean", "half-mean", "sum"])
def test_ridge_alpha_makes_the_gradient_of_the_decayed_loss_vanish_to_1e_10(loss):
    rng = np.random.default_rng(3)
    n, X = 50, rng.normal(size=(50, 7))
    y, weight_decay = rng.normal(size=50), 0.3
    alpha = decay.as_ridge_alpha(weight_decay, n, loss=loss)
    w = np.linalg.solve(X.T @ X + alpha * np.eye(7), X.T @ y)
    scale = {"mean": 2 / n, "half-mean": 1 / n, "sum": 2.0}[loss]
    assert np.abs(scale * X.T @ (X @ w - y) + weight_decay * w).max() < 1e-10
    assert decay.as_weight_decay(alpha, n, loss=loss) == pytest.approx(weight_decay, rel=1e-15)


def rotation_of_orthogonal_sgd(lr, weight_decay, momentum, d=1500, steps=1200, seed=0):
    """Mean angle per step of SGD with random gradients orthogonal to w and of size 1/‖w‖."""
    rng = np.random.default_rng(seed)
    w, buffer, angles, norms = rng.normal(size=d) / np.sqrt(d), np.zeros(d), [], []
    for t in range(steps):
        norm = np.linalg.norm(w)
        g = rng.normal(size=d)
        g -= w * (w @ g) / norm**2
        g *= 1.0 / (np.linalg.norm(g) * norm)
        buffer = momentum * buffer + g + weight_decay * w
        new = w - lr * buffer
        if t > steps // 2:
            angles.append(np.arccos(w @ new / norm / np.linalg.norm(new)))
            norms.append(norm)
        w = new
    return np.mean(angles), np.mean(norms)


@pytest.mark.parametrize(("lr", "weight_decay", "momentum"), [(0.1, 0.05, 0.0), (0.05, 0.02, 0.9)])
def test_sgd_reaches_the_predicted_rotation_and_norm_within_3_percent(lr, weight_decay, momentum):
    angle, norm = rotation_of_orthogonal_sgd(lr, weight_decay, momentum)
    predicted = decay_equilibrium.equilibrium_angular_rate("sgd", lr, weight_decay, momentum)
    assert angle == pytest.approx(predicted, rel=0.03)
    size = decay_equilibrium.equilibrium_norm_sgd(lr, weight_decay, 1.0, momentum)
    assert norm == pytest.approx(size, rel=0.03)


def test_adamw_reaches_the_predicted_rotation_and_norm_within_5_percent():
    rng, d, lr, weight_decay, beta = np.random.default_rng(0), 1500, 0.01, 0.2, 0.9
    size = decay_equilibrium.equilibrium_norm_adamw(lr, weight_decay, d)
    w, m, angles = 1.5 * size * rng.normal(size=d) / np.sqrt(d), np.zeros(d), []
    for t in range(1500):
        m = beta * m + (1 - beta) * rng.normal(size=d)  # gradients already of unit second moment
        new = (1 - lr * weight_decay) * w - lr * m
        if t > 700:
            angles.append(np.arccos(w @ new / np.linalg.norm(w) / np.linalg.norm(new)))
        w = new
    predicted = decay_equilibrium.equilibrium_angular_rate("adamw", lr, weight_decay, beta)
    assert np.mean(angles) == pytest.approx(predicted, rel=0.05)
    assert np.linalg.norm(w) == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize("start", [0.2, 5.0])
def test_steps_to_equilibrium_is_when_the_squared_norm_comes_within_ten_percent(start):
    lr, weight_decay = 0.1, 0.01
    limit = decay_equilibrium.equilibrium_norm_sgd(lr, weight_decay, 1.0)
    norm4 = (start * limit) ** 4
    steps = 0
    while abs(norm4 / limit**4 - 1) > 0.1:  # the orthogonal recursion of ‖w‖² for unit gradient 1
        squared = (1 - lr * weight_decay) ** 2 * math.sqrt(norm4) + lr**2 / math.sqrt(norm4)
        norm4, steps = squared**2, steps + 1
    told = decay_equilibrium.steps_to_equilibrium("sgd", lr, weight_decay, ratio=start**-2)
    assert told == pytest.approx(steps, rel=0.1)


def test_a_measured_rotation_equal_to_the_prediction_needs_no_more_steps():
    assert decay_equilibrium.steps_to_equilibrium("adamw", 1e-3, 0.1, ratio=1.0) == 0
    assert decay_equilibrium.steps_to_equilibrium("adamw", 1e-3, 0.0, ratio=1.0) == math.inf
    with pytest.raises(UsageError, match="unknown family"):
        decay_equilibrium.equilibrium_angular_rate("adam", 1e-3, 0.1)


def test_corrected_ratio_is_the_rotation_divided_by_the_learning_rate():
    rate = decay_equilibrium.equilibrium_angular_rate("sgd", 0.1, 5e-4)
    assert decay_equilibrium.corrected_gradient_ratio(0.1, 5e-4) == pytest.approx(rate / 0.1)


@pytest.mark.parametrize("name", decay_schedules.SCHEDULES)
@settings(deadline=None, max_examples=20)
@given(steps=st.integers(20, 400), final=st.floats(0.01, 1.0))
def test_every_schedule_starts_at_the_peak_warms_up_linearly_and_never_rises_after(name, steps, final):
    f = decay_schedules.schedule_factors(name, steps, warmup=10, final=final)
    assert f.shape == (steps,)
    np.testing.assert_allclose(f[:10], np.arange(1, 11) / 10)
    assert f[10] == pytest.approx(1.0)
    assert np.all(np.diff(f[10:]) <= 1e-12)
    sampled = decay_schedules.schedule_factors(name, steps, warmup=10, final=final, points=10)
    assert set(sampled) <= set(f)


def test_every_catalogue_row_has_a_known_unit_and_a_source_and_is_found_in_any_case():
    assert {r.unit for r in CATALOGUE.values()} <= set(UNITS)
    assert all(r.source for r in CATALOGUE.values())
    assert find_optimizer("ADAMW") is find_optimizer("torch.AdamW")
    with pytest.raises(UsageError, match=r"torch\.AdamW"):
        find_optimizer("adamz")


def test_every_rule_names_its_source_and_limits_and_the_batch_rule_is_not_established():
    assert all(rule.source and rule.limits for rule in RULES.values())
    assert [name for name, rule in RULES.items() if not rule.established] == ["batch"]
    assert factor_for("samples", 500, 4000).decay_factor == pytest.approx(1 / 8)
    assert factor_for("width", 1, 4).lr_factor * factor_for("width", 1, 4).decay_factor == pytest.approx(1.0)


def test_loshchilovs_normalised_decay_shrinks_with_the_square_root_of_the_updates():
    one = decay.loshchilov_normalised(0.05, batch=128, samples=50_000, epochs=100)
    assert one == pytest.approx(0.05 * math.sqrt(128 / 5e6))
