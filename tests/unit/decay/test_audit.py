"""Each finding of the audit appears when its fault is built in, and not otherwise."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import elltwo
from decay_models import LowRank, TinyGPT, cnn, mlp
from elltwo.decay.auditing import assert_clean
from elltwo.errors import UsageError


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(3))
IDS = torch.randint(0, 11, (3, 7), generator=torch.Generator().manual_seed(3))


def planned(model, batch, lr=1e-3, **options):
    return torch.optim.AdamW(elltwo.decay_plan(model, batch).groups(lr=lr), **options)


def codes(optimizer, model, batch=X, **options):
    return elltwo.audit(optimizer, model, batch, **options).codes()


def test_an_optimizer_built_from_the_plan_is_clean():
    model = cnn(bias=True)
    result = elltwo.audit(planned(model, X), model, X)
    assert result.codes() == ("learning-rate-control",)
    assert result.exit_code == 0
    assert_clean(planned(model, X), model, X)


def test_a_perfect_setup_says_so():
    model = mlp(4, 5, 3)
    x = torch.randn(6, 4)
    assert str(elltwo.audit(planned(model, x), model, x)).startswith("No findings")


def test_decaying_everything_names_each_kind_of_harm():
    model = cnn(bias=True)
    result = elltwo.audit(torch.optim.AdamW(model.parameters(), 1e-3), model, X)
    assert set(result.codes()) >= {"decayed-bias", "decayed-norm", "frozen-by-zero-gradient"}
    assert result.exit_code == 1
    numbers = {f.code: f.number for f in result}
    assert numbers["decayed-norm"] == 4
    assert numbers["frozen-by-zero-gradient"] == 2


def test_gains_tables_and_log_parameters_are_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (
                nn.Parameter(torch.randn(1, 5, 4)),
                nn.Parameter(torch.ones(4)),
                nn.Parameter(torch.zeros(4)),
            )
            self.w = nn.Linear(4, 2, bias=False)

        def forward(self, x):
            return self.w((x + self.a) * self.b * self.c.exp())

    model = Odd()
    found = codes(torch.optim.AdamW(model.parameters(), 1e-3), model, torch.randn(3, 5, 4))
    assert set(found) == {"decayed-table", "decayed-gain", "decayed-log-parameter"}


def test_a_whitelist_by_type_skips_custom_weights():
    class Custom(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.head = nn.Parameter(torch.randn(4, 5)), nn.Linear(5, 2)

        def forward(self, x):
            return self.head((x @ self.w).relu())

    model = Custom()
    opt = torch.optim.AdamW(
        [{"params": [model.head.weight]}, {"params": [model.w, model.head.bias], "weight_decay": 0.0}], 1e-3
    )
    result = elltwo.audit(opt, model, torch.randn(3, 4))
    assert result.codes() == ("matmul-skipped",)
    assert "'w'" in result.findings[0].sentence


def test_a_tensor_in_no_group_is_an_error():
    model = cnn()
    result = elltwo.audit(torch.optim.AdamW(list(model.parameters())[:-2], 1e-3), model, X)
    first = result.findings[0]
    assert (first.code, first.severity, first.number) == ("in-no-group", "error", 2)


def test_a_tensor_in_two_optimizers_is_an_error():
    model = mlp(4, 3)
    two = [torch.optim.AdamW(model.parameters(), 1e-3), torch.optim.SGD([model[0].weight], 1e-3)]
    assert "in-two-groups" in codes(two, model, torch.randn(2, 4))


def test_tensors_of_another_model_are_an_error():
    model = mlp(4, 3)
    result = codes(torch.optim.AdamW(mlp(4, 3).parameters(), 1e-3), model, torch.randn(2, 4))
    assert set(result) >= {"not-in-model", "in-no-group"}


def test_a_broken_tie_decays_one_memory_twice():
    model = TinyGPT()
    model.out.weight = nn.Parameter(model.w1.weight.data)
    assert "tied-twice" in codes(torch.optim.AdamW(model.parameters(), 1e-3), model, IDS)
    good = TinyGPT(tied=True)
    assert "tied-twice" not in codes(torch.optim.AdamW(good.parameters(), 1e-3), good, IDS)


def test_zeroed_gradients_do_not_freeze_under_decay():
    model = mlp(4, 5, 3)
    opt = planned(model, torch.randn(2, 4))
    assert "frozen-by-zero-gradient" not in codes(opt, model, torch.randn(2, 4))
    model[0].weight.grad = torch.zeros_like(model[0].weight)
    assert "frozen-by-zero-gradient" in codes(opt, model, torch.randn(2, 4))


def test_frozen_tensors_in_a_decaying_group_are_noted():
    model = LowRank()
    opt = torch.optim.AdamW(model.parameters(), 1e-3)
    assert set(codes(opt, model, torch.randn(5, 8))) >= {"frozen-in-group", "decayed-adapter"}


@pytest.mark.parametrize(
    ("lr", "decay", "options", "code"),
    [
        (1e-4, 1e-2, {"steps": 1000}, "decay-inert"),
        (1e-6, 1e-2, {}, "decay-inert"),
        (1e-1, 1.0, {}, "decay-forgets"),
        (1e-3, 1.0, {"steps_per_epoch": 5000}, "decay-forgets"),
        (1.0, 2.0, {}, "decay-destroys"),
    ],
)
def test_a_decay_that_does_nothing_or_forgets_is_said_with_numbers(lr, decay, options, code):
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    groups = elltwo.decay_plan(model, x, weight_decay=decay).groups(lr=lr)
    found = {f.code: f for f in elltwo.audit(torch.optim.AdamW(groups), model, x, **options)}
    assert code in found
    assert found[code].number is not None
    assert found[code].threshold is not None


def test_a_sane_time_constant_is_no_finding():
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    opt = torch.optim.AdamW(elltwo.decay_plan(model, x, weight_decay=0.1).groups(lr=1e-3))
    assert codes(opt, model, x, steps=100_000, steps_per_epoch=1000) == ()


def test_a_warm_up_that_starts_at_zero_is_not_taken_for_the_learning_rate():
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    opt = torch.optim.AdamW(elltwo.decay_plan(model, x, weight_decay=0.1).groups(lr=1e-3))
    torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(step / 100, 1.0))
    assert opt.param_groups[0]["lr"] == 0.0
    assert codes(opt, model, x, steps=100_000) == ()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda g: torch.optim.Adam(g), True),
        (lambda g: torch.optim.RMSprop(g), True),
        (lambda g: torch.optim.Adam(g, decoupled_weight_decay=True), False),
        (lambda g: torch.optim.AdamW(g), False),
        (lambda g: torch.optim.SGD(g), False),
    ],
)
def test_coupled_l2_in_an_adaptive_optimizer_is_said(make, expected):
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    opt = make(elltwo.decay_plan(model, x).groups(lr=1e-3))
    assert ("coupled-in-adaptive" in codes(opt, model, x)) == expected


def test_a_number_of_coupled_size_in_a_decoupled_optimizer_is_said():
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    groups = elltwo.decay_plan(model, x, weight_decay=5e-4).groups(lr=1e-2)
    assert codes(torch.optim.AdamW(groups), model, x) == ("coupled-size-in-decoupled",)
    assert codes(torch.optim.SGD(groups), model, x) == ()


class Listed(nn.Sequential):
    def no_weight_decay(self):
        return {"0.w*"}  # a pattern, as timm allows


class Hides(nn.Module):
    """What torch.compile returns, as far as names and lists are concerned."""

    def __init__(self, inner):
        super().__init__()
        self._orig_mod = inner

    def forward(self, x):
        return self._orig_mod(x)


def test_a_list_hidden_by_a_wrapper_is_found():
    model, x = Listed(*mlp(4, 5, 3)), torch.randn(2, 4)
    wrapped = Hides(model)
    result = elltwo.audit(torch.optim.AdamW(wrapped.parameters(), 1e-3), wrapped, x)
    finding = next(f for f in result if f.code == "hidden-list")
    assert "hidden by the wrapper Hides" in finding.sentence


def test_a_float_in_a_compiled_step_is_found_and_a_tensor_is_not():
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    plan = elltwo.decay_plan(model, x)
    opt = torch.optim.AdamW(plan.groups(lr=1e-3))
    assert codes(opt, model, x) == ()
    opt.step = torch.compile(opt.step, backend="eager")
    assert codes(opt, model, x) == ("float-decay-recompiles",)
    opt = torch.optim.AdamW(plan.groups(lr=1e-3, number=torch.tensor))
    opt.step = torch.compile(opt.step, backend="eager")
    assert codes(opt, model, x) == ()


def test_no_decay_at_all_is_noted_not_blamed():
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    result = elltwo.audit(torch.optim.SGD(model.parameters(), 1e-3), model, x)
    assert result.codes() == ("no-decay-at-all",)
    assert result.exit_code == 0


def test_sparing_invariant_weights_is_noted():
    model = cnn()
    opt = torch.optim.AdamW(elltwo.decay_plan(model, X, invariant="exempt").groups(lr=1e-3))
    assert codes(opt, model) == ("invariant-skipped",)


def test_decaying_an_embedding_is_a_choice():
    model = TinyGPT()
    opt = torch.optim.AdamW(elltwo.decay_plan(model, IDS, policy="nanogpt").groups(lr=1e-3))
    assert set(codes(opt, model, IDS)) == {"decayed-embedding", "decayed-table"}


def test_an_unknown_optimizer_is_judged_by_its_groups_only():
    class Own(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 1e-3, "weight_decay": 0.1})

    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    assert codes(Own(model.parameters()), model, x) == ("decayed-bias",)


def test_the_pytest_helper_lists_what_is_wrong_and_may_allow_it():
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    opt = torch.optim.AdamW(model.parameters(), 1e-3)
    with pytest.raises(AssertionError, match=r"decayed-bias: Decayed, though shrinking a shift.*'0.bias'"):
        assert_clean(opt, model, x)
    assert_clean(opt, model, x, allow=["decayed-bias"])


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(UsageError, match=r"must be a torch\.optim\.Optimizer"):
        elltwo.audit({"lr": 1}, mlp(2, 2), torch.randn(2, 2))
    with pytest.raises(UsageError, match="steps must be a positive number"):
        elltwo.audit(torch.optim.SGD(mlp(2, 2).parameters(), 1e-3), mlp(2, 2), torch.randn(2, 2), steps=0)
