"""Balance laws along multiplicative symmetries, on linear networks small enough for NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elltwo.laws import decay_balance as law

norms = st.lists(st.floats(0.1, 10), min_size=1, max_size=5)


class TrunkAndHeads:
    """Multi-task linear network y_t = v_tᵀ W x with loss Σ_t mean (y_t − target)² / 2."""

    def __init__(self, seed=0, n=60, p=5, width=4, tasks=3):
        rng = np.random.default_rng(seed)
        self.X = rng.normal(size=(n, p))
        self.Y = self.X @ rng.normal(size=(p, tasks)) + 0.3 * rng.normal(size=(n, tasks))
        self.W, self.V = 0.5 * rng.normal(size=(width, p)), 0.5 * rng.normal(size=(tasks, width))

    def gradients(self, rows=slice(None)):
        X, Y = self.X[rows], self.Y[rows]
        error = (X @ self.W.T @ self.V.T - Y) / len(X)
        return self.V.T @ error.T @ X, error.T @ X @ self.W.T


def test_trunk_and_heads_settle_at_the_ratio_of_their_decays():
    net, trunk, heads = TrunkAndHeads(), 0.03, 0.01
    for _ in range(20_000):
        gw, gv = net.gradients()
        net.W, net.V = net.W - 0.1 * (gw + trunk * net.W), net.V - 0.1 * (gv + heads * net.V)
    measured = np.sum(net.W**2) / np.sum(net.V**2)
    assert np.sum(net.W**2) > 0.1  # not the trivial minimum at zero
    assert measured == pytest.approx(law.trunk_head_ratio(trunk, heads), rel=1e-6)
    residual = law.balance_residual([1, -1], [trunk, heads], [np.sum(net.W**2), np.sum(net.V**2)])
    assert abs(residual) < 1e-6


def test_the_charge_of_an_unbalanced_start_decays_as_predicted_to_1e_3():
    net = TrunkAndHeads(1)
    net.W *= 3.0
    lr, decay, steps = 2e-4, 0.05, 4000
    start = law.charge([1, -1], [np.sum(net.W**2), np.sum(net.V**2)])
    for _ in range(steps):
        gw, gv = net.gradients()
        net.W, net.V = net.W - lr * (gw + decay * net.W), net.V - lr * (gv + decay * net.V)
    end = law.charge([1, -1], [np.sum(net.W**2), np.sum(net.V**2)])
    assert end < 0.95 * start
    assert end == pytest.approx(law.charge_decay(start, lr, decay, steps), rel=1e-3)


def test_the_stochastic_identity_is_exact_up_to_the_drift_of_the_run():
    net, lr, decays = TrunkAndHeads(2), 0.05, (0.02, 0.005)
    rng, start = np.random.default_rng(0), (np.sum(net.W**2), np.sum(net.V**2))
    squared, steps = np.zeros(2), np.zeros(2)
    for _ in range(500):
        gw, gv = net.gradients(rng.integers(0, 60, 8))
        dw, dv = gw + decays[0] * net.W, gv + decays[1] * net.V
        squared += [np.sum(net.W**2), np.sum(net.V**2)]
        steps += [np.sum(dw**2), np.sum(dv**2)]
        net.W, net.V = net.W - lr * dw, net.V - lr * dv
    left, right = law.stochastic_sides([1, -1], decays, squared / 500, steps / 500, lr)
    drift = np.array([np.sum(net.W**2), np.sum(net.V**2)]) - start
    assert left == pytest.approx(right - (drift[0] - drift[1]) / (2 * lr * 500), rel=1e-10)


@given(norms, st.floats(0.01, 1.0), st.floats(0.2, 5.0))
def test_no_rescaling_of_relu_units_goes_below_the_path_norm_form(inner, weight_decay, c):
    u, v = np.array(inner), np.array(inner[::-1]) + 0.5
    form = law.path_norm_form(weight_decay, v, u)
    assert weight_decay * np.sum((v / c) ** 2 + (u * c) ** 2) >= form * (1 - 1e-12)
    best = np.sqrt(v / u)
    assert weight_decay * np.sum((v / best) ** 2 + (u * best) ** 2) == pytest.approx(form)


@given(norms, st.floats(0.01, 10))
def test_the_residual_does_not_depend_on_the_scale_of_weights_and_lies_within_one(inner, c):
    signs = [1 if i % 2 else -1 for i in range(len(inner))]
    one = law.balance_residual(signs, np.ones(len(inner)), inner)
    assert law.balance_residual(signs, np.ones(len(inner)), np.array(inner) * c) == pytest.approx(one)
    assert abs(one) <= 1 + 1e-12
    assert law.balance_residual([1, -1], [0.0, 0.0], [1.0, 2.0]) == 0.0
