"""The recipe calculator: definitions, conversions both ways, and refusals."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elltwo.decay.recipes.command import recipe_command
from elltwo.decay.recipes.published import PUBLISHED, published_recipe
from elltwo.decay.recipes.recipe import Recipe
from elltwo.errors import ConversionError, InputError, UsageError
from elltwo.laws.decay_schedules import SCHEDULES

small = {"lr": 1e-3, "weight_decay": 0.5, "batch": 10, "samples": 1000, "epochs": 20}
ADAMW_UNITS = ("adamw", "optax", "keras", "composer", "u-mup", "tfa", "modded-nanogpt")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["adamw", "composer", "tfa", "modded-nanogpt", "adamc"])
def test_the_retained_share_equals_a_weight_that_is_shrunk_step_by_step(schedule, optimizer):
    recipe = Recipe(
        **small | {"weight_decay": 2e-4 if optimizer in ("composer", "tfa") else 0.5},
        optimizer=optimizer,
        schedule=schedule,
        warmup=100,
        final=0.1,
    )
    from elltwo.laws.decay_schedules import schedule_factor

    weight = 1.0
    for t in range(recipe.steps):
        factor = schedule_factor(schedule, t, recipe.steps, warmup=100, final=0.1)
        lr = recipe.lr * factor
        weight *= {
            "adamw": 1 - lr * 0.5,
            "composer": 1 - 2e-4 * factor,
            "tfa": 1 - 2e-4,
            "modded-nanogpt": 1 - lr * lr * 0.5,
            "adamc": 1 - lr * 0.5 * factor,
        }[optimizer]
    assert recipe.answers.retained == pytest.approx(weight, rel=1e-9)


def test_answers_follow_their_definitions():
    recipe = Recipe(**small, schedule="constant")
    a = recipe.answers
    assert (a.steps, a.tau_steps, a.tau_epochs) == (2000, pytest.approx(2000), pytest.approx(20))
    assert a.tau_fraction == pytest.approx(1.0)
    assert a.effective_decay == pytest.approx(1.0)
    assert a.half_life_steps == pytest.approx(2000 * math.log(2), rel=1e-3)
    assert a.angular_rate == pytest.approx(math.sqrt(2 * 5e-4 * 0.1 / 1.9))


def test_momentum_sgd_forgets_faster_by_one_over_one_minus_momentum():
    plain = Recipe(**small, optimizer="sgd").answers
    heavy = Recipe(**small, optimizer="sgd", momentum=0.9).answers
    assert plain.tau_steps / heavy.tau_steps == pytest.approx(10)


@pytest.mark.parametrize("there", ADAMW_UNITS)
@pytest.mark.parametrize("here", ADAMW_UNITS)
def test_conversion_between_libraries_keeps_the_timescale_and_comes_back(here, there):
    start = Recipe(**small).to(optimizer=here)
    carried = start.to(optimizer=there)
    assert carried.answers.tau_steps == pytest.approx(2000)
    assert carried.to(optimizer=here).weight_decay == pytest.approx(start.weight_decay)


def test_the_published_unit_factors_between_libraries_are_the_learning_rate():
    recipe = Recipe(**small)
    assert recipe.to(optimizer="composer").weight_decay == pytest.approx(5e-4)
    assert recipe.to(optimizer="keras").weight_decay == 0.5
    assert recipe.to(optimizer="modded-nanogpt").weight_decay == pytest.approx(500)


@given(st.floats(1e-5, 1e-2), st.floats(0.1, 100))
def test_changing_the_learning_rate_keeps_lr_times_weight_decay(lr, ratio):
    carried = Recipe(**small | {"lr": lr}).to(lr=lr * ratio)
    assert carried.lr * carried.weight_decay == pytest.approx(lr * 0.5)


def test_eight_times_the_data_takes_an_eighth_of_the_decay_and_the_same_epochs_of_memory():
    carried = Recipe(**small).to(samples=8000)
    assert carried.weight_decay == pytest.approx(0.5 / 8)
    assert carried.answers.tau_epochs == pytest.approx(Recipe(**small).answers.tau_epochs)
    assert "arXiv:2405.13698" in carried.history[0].rule.source


def test_holding_the_run_keeps_the_share_of_the_run_instead_of_the_epochs():
    start = Recipe(**small)
    carried = start.to(epochs=40, hold="run")
    assert carried.answers.tau_fraction == pytest.approx(start.answers.tau_fraction)
    assert start.to(epochs=40).weight_decay == start.weight_decay


def test_the_batch_rule_is_applied_and_marked_as_not_established():
    carried = Recipe(**small).to(batch=40)
    assert carried.weight_decay == pytest.approx(2.0)
    assert not carried.history[0].rule.established
    assert "not established" in str(carried)


def test_width_lowers_the_rate_and_raises_the_decay():
    carried = Recipe(**small).to(width=4)
    assert (carried.lr, carried.weight_decay) == (pytest.approx(2.5e-4), pytest.approx(2.0))
    independent = Recipe(**small | {"weight_decay": 5e-4}, optimizer="composer").to(width=4)
    assert independent.weight_decay == pytest.approx(5e-4)  # its number does not depend on lr


def test_adam_with_coupled_l2_has_no_timescale_and_says_so():
    recipe = Recipe(**small, optimizer="adam")
    assert recipe.answers.tau_steps is None
    with pytest.raises(ConversionError, match="no decay timescale"):
        recipe.to(samples=10)
    with pytest.raises(ConversionError, match="no decay timescale"):
        Recipe(**small).to(optimizer="adam", lr=1e-3)


def test_sgd_and_adamw_are_not_converted_without_a_new_learning_rate():
    with pytest.raises(ConversionError, match="not comparable"):
        Recipe(**small, optimizer="sgd").to(optimizer="adamw")
    carried = Recipe(**small, optimizer="sgd").to(optimizer="adamw", lr=1e-4)
    assert carried.answers.tau_steps == pytest.approx(2000)
    assert not carried.history[-1].rule.established


def test_a_decay_too_weak_to_matter_in_the_run_is_pointed_out():
    notes = " ".join(Recipe(**small | {"weight_decay": 0.01}).answers.notes)
    assert "decay does little" in notes
    assert "50 times larger" in notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0}, "lr must be a positive"),
        ({"lr": float("nan")}, "lr must be a positive"),
        ({"weight_decay": -1}, "zero or a positive"),
        ({"batch": float("inf")}, "batch must be"),
        ({"samples": "many"}, "samples must be"),
        ({"warmup": 3000}, "does not fit"),
        ({"momentum": 1.0}, "momentum must lie"),
    ],
)
def test_numbers_that_cannot_be_are_refused_in_one_sentence(change, message):
    with pytest.raises(InputError, match=message):
        Recipe(**small | change)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"torch\.AdamW"):
        Recipe(**small, optimizer="adamz")
    with pytest.raises(UsageError, match="cosine"):
        Recipe(**small, schedule="cosinus")
    with pytest.raises(UsageError, match="deit-base"):
        published_recipe("gpt5")
    with pytest.raises(UsageError, match="hold"):
        Recipe(**small).to(samples=5, hold="breath")


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_recipe_answers_prints_within_80_columns_and_names_its_source(name):
    text = str(published_recipe(name))
    assert max(map(len, text.splitlines())) <= 80
    assert "Source:" in text
    json.dumps(published_recipe(name).to_dict())


def test_nanogpt_runs_600000_steps_with_a_timescale_under_one_epoch():
    a = published_recipe("nanogpt-gpt2-124m").answers
    assert a.steps == 600_000
    assert a.tau_steps == pytest.approx(1 / (6e-4 * 0.1))
    assert 0.8 < a.tau_epochs < 1.0


def test_the_command_prints_both_runs_and_gives_data_with_json():
    options = {**small, "to_samples": 2000}
    text = recipe_command(**options)
    assert "Carried to" in text
    assert max(map(len, text.splitlines())) <= 80
    data = json.loads(json.dumps(recipe_command(**options, json=True)))
    assert data["carried"]["settings"]["weight_decay"] == pytest.approx(0.25)
    assert "nanogpt" in recipe_command(published="list")
    with pytest.raises(UsageError, match="batch, samples"):
        recipe_command(lr=1e-3, weight_decay=0.1)
    with pytest.raises(UsageError, match="to_rl"):
        recipe_command(**small, to_rl=1)
    with pytest.raises(UsageError, match="already sets"):
        recipe_command(published="deit-base", lr=1.0)


def test_zero_decay_never_forgets_and_survives_a_move():
    recipe = Recipe(**small | {"weight_decay": 0.0})
    assert recipe.answers.tau_steps == math.inf
    assert recipe.answers.to_dict()["tau_steps"] == "inf"
    assert recipe.to(lr=1e-2, samples=5000).weight_decay == 0.0


def test_recipes_are_frozen_and_equal_by_value():
    recipe = Recipe(**small)
    assert recipe.to(samples=2000).to(samples=1000) == recipe
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.lr = 2.0
    assert np.isfinite(recipe.rates()).all()


def test_the_calculator_loads_without_torch():
    code = "import sys; import elltwo.decay.recipes.command; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
