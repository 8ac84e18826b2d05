"""Choosing λ: exact on problems that obey the rule, extended off the edge, and never silent."""

import math

import numpy as np
import pytest

from elltwo.decay.recipes.recipe import Recipe
from elltwo.decay.tuning.choose import METHODS, tune_weight_decay
from elltwo.errors import ConversionError, InputError, UsageError
from elltwo.laws.decay_equilibrium import equilibrium_norm_adamw


def lawful(calls=None, best_times_rows=1000.0):
    """A validation loss whose best λ is best_times_rows / rows, as the timescale rule says."""

    def train(weight_decay, rows):
        if calls is not None:
            calls.append((weight_decay, rows))
        return 1.0 + (math.log(weight_decay) - math.log(best_times_rows / rows)) ** 2

    return train


def test_the_pilot_finds_the_full_optimum_at_a_fraction_of_the_grids_cost():
    calls = []
    pilot = tune_weight_decay(lawful(calls), samples=2000, grid=np.geomspace(0.02, 20, 12))
    full = tune_weight_decay(lawful(), method="grid", samples=2000, grid=np.geomspace(0.02, 20, 12))
    assert pilot.weight_decay == pytest.approx(0.5, rel=1e-9)
    assert pilot.weight_decay == pytest.approx(full.weight_decay)
    assert {rows for _, rows in calls} == {250}
    assert pilot.cost == pytest.approx(len(calls) / 8)
    assert pilot.cost <= full.cost / 4
    assert "arXiv:2405.13698" in str(pilot)
    assert "Beware" in str(pilot)


@pytest.mark.parametrize("best", [1e-2, 300.0])
def test_a_best_strength_beyond_the_grid_is_reached_and_said(best):
    found = tune_weight_decay(
        lawful(best_times_rows=best * 100), method="grid", samples=100, grid=[0.1, 1.0, 10.0]
    )
    assert found.weight_decay == pytest.approx(best, rel=0.05)
    assert "edge of the grid" in str(found)


def test_a_loss_that_only_falls_is_reported_as_still_on_the_edge():
    found = tune_weight_decay(lambda wd, rows: 1 / wd, method="grid", samples=10, grid=[1, 2, 4])
    assert "still on the edge" in str(found)
    assert found.weight_decay == 64


def test_runs_that_diverge_are_passed_over_and_all_diverging_is_refused():
    def diverging(weight_decay, rows):
        return float("nan") if weight_decay > 3 else (math.log(weight_decay)) ** 2

    assert tune_weight_decay(
        diverging, method="grid", samples=10, grid=[0.3, 1, 3, 9]
    ).weight_decay == pytest.approx(1)
    with pytest.raises(InputError, match="not finite"):
        tune_weight_decay(lambda wd, rows: float("inf"), method="grid", samples=10)


@pytest.mark.parametrize("true", [0.7, 2.0, 5.5])
def test_the_bracket_finds_the_vertex_of_a_parabola_within_a_factor_of_four_of_its_start(true):
    calls = []

    def train(weight_decay, rows):
        calls.append(rows)
        return (math.log(weight_decay / true)) ** 2

    found = tune_weight_decay(train, method="bracket", samples=50, start=2.0)
    assert calls == [50, 50, 50]
    assert found.cost == 3.0
    assert found.weight_decay == pytest.approx(true if true > 1 else 1.0, rel=1e-6)
    assert ("still on the edge" in str(found)) == (true < 1)
    further = tune_weight_decay(train, method="bracket", samples=50, start=2.0, runs=6)
    assert further.weight_decay == pytest.approx(true, rel=1e-6)


def test_the_evidence_of_the_last_layer_is_the_maximum_of_the_marginal_likelihood():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(80, 6))
    y = A @ rng.normal(size=6) + 1.5 * rng.normal(size=80) + 3.0
    centred, target = A - A.mean(0), y - y.mean()

    def negative(alpha):  # -log p(y), noise variance profiled out, an intercept integrated away
        K = np.eye(80) + centred @ centred.T / alpha
        quadratic = target @ np.linalg.solve(K, target)
        return 79 * np.log(quadratic) + np.linalg.slogdet(K)[1]

    grid = np.geomspace(1e-2, 1e3, 20_001)
    brute = grid[np.argmin([negative(a) for a in grid[::200]]) * 200]
    fine = np.geomspace(brute / 2, brute * 2, 2001)
    best = fine[np.argmin([negative(a) for a in fine])]
    found = tune_weight_decay(method="evidence", features=A, targets=y)
    assert found.weight_decay == pytest.approx(2 * best / 80, rel=2e-3)
    two = tune_weight_decay(method="evidence", features=A, targets=np.column_stack([y, y]))
    assert two.weight_decay == pytest.approx(found.weight_decay / 2, rel=1e-6)


def test_the_norm_target_is_the_inverse_of_the_equilibrium_norm():
    found = tune_weight_decay(method="norm", lr=1e-3, rms=0.05)
    assert equilibrium_norm_adamw(1e-3, found.weight_decay, 1) == pytest.approx(0.05)
    assert found.cost == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"method": "magic"}, "unknown method"),
        ({"method": "pilot"}, "needs train"),
        ({}, "missing 3 required"),
        ({"train": lawful(), "method": "norm", "lr": 1.0, "rms": 1.0}, "leave it out"),
        (
            {"method": "timescale", "lr": 1e-3, "batch": 50, "samples": 900, "tau_epochs": -1.0},
            "tau_epochs must be",
        ),
        ({"method": "timescale", "lr": 1e-3, "batch": 50, "samples": 900, "colour": 1}, "colour"),
        ({"method": "norm", "lr": 1.0}, "rms"),
        ({"method": "norm", "lr": -1.0, "rms": 1.0}, "lr must be"),
        ({"train": lawful(), "samples": 10, "share": 2.0}, "share must lie"),
        ({"train": lawful(), "samples": 10, "grid": [1.0]}, "at least three"),
        ({"train": lawful(), "samples": 10, "colour": 1}, "colour"),
        ({"train": lawful(), "method": "bracket", "samples": 10}, "start"),
        ({"train": lawful(), "method": "bracket", "samples": 10, "start": 1.0, "factor": 1.0}, "above 1"),
        ({"train": lambda *_: math.nan, "method": "bracket", "samples": 10, "start": 1.0}, "not finite"),
        ({"method": "evidence", "features": np.ones((4, 2)), "targets": np.ones(5)}, "same rows"),
        ({"method": "evidence", "features": np.full((4, 2), np.nan), "targets": np.ones(4)}, "NaN"),
    ],
)
def test_wrong_calls_are_refused_in_one_sentence(call, message):
    with pytest.raises((UsageError, InputError), match=message):
        tune_weight_decay(**call)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "composer"])
def test_the_timescale_rule_without_a_run_spends_one_timescale_over_the_schedule(schedule, optimizer):
    run = {
        "lr": 1e-3,
        "batch": 50,
        "samples": 900,
        "epochs": 60,
        "schedule": schedule,
        "optimizer": optimizer,
    }
    found = tune_weight_decay(**run)
    assert Recipe(weight_decay=found.weight_decay, **run).answers.effective_decay == pytest.approx(1.0)
    known = tune_weight_decay(tau_epochs=7.0, **run)
    assert Recipe(weight_decay=known.weight_decay, **run).answers.tau_epochs == pytest.approx(7.0)
    assert found.cost == known.cost == 0.0
    assert "No run" in str(found)


def test_an_optimizer_without_a_timescale_is_refused():
    with pytest.raises(ConversionError, match="no decay timescale"):
        tune_weight_decay(lr=1e-3, batch=50, samples=900, optimizer="torch.adam")


def test_every_method_is_described():
    assert all(name in tune_weight_decay.__doc__ for name in METHODS)
