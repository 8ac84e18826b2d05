"""Planning changes nothing, and bad input gets one sentence."""

from __future__ import annotations

import collections
import copy
import random
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

import elltwo
from decay_models import TinyGPT, cnn, mlp
from elltwo.errors import ElltwoError, InputError, UsageError


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def state_of(model):
    """Everything that a person could notice."""
    return {
        "data": {n: p.detach().clone() for n, p in model.named_parameters()},
        "ids": {n: (id(p), p.data_ptr(), p.dtype, p.requires_grad) for n, p in model.named_parameters()},
        "grads": {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        "grad ids": {n: id(p.grad) for n, p in model.named_parameters()},
        "buffers": {n: b.clone() for n, b in model.named_buffers()},
        "buffer ids": {n: id(b) for n, b in model.named_buffers()},
        "modes": [m.training for m in model.modules()],
        "attributes": [sorted(k for k in vars(m)) for m in model.modules()],
        "eps": [getattr(m, "eps", None) for m in model.modules()],
        "hooks": [len(m._forward_hooks) for m in model.modules()],
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


IMAGES = torch.randn(4, 3, 8, 8)


def assert_untouched(model, action):
    before, random = state_of(model), torch.get_rng_state()
    action()
    after = state_of(model)
    for what in before:
        assert same(before[what], after[what]), what
    assert torch.equal(random, torch.get_rng_state())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("job", ["decay_plan", "symmetries"])
def test_data_grads_buffers_modes_and_random_state_are_as_before(job, training):
    model, x = cnn(bias=True), torch.randn(4, 3, 8, 8)
    model(x).sum().backward()
    model.train(training)
    model[1].eval()
    model[0].bias.requires_grad_(False)
    assert_untouched(model, lambda: getattr(elltwo, job)(model, x))


class Breaks(nn.Module):
    """Raises in its n-th forward pass."""

    def __init__(self, at):
        super().__init__()
        self.inner, self.at, self.calls = cnn(), at, 0

    def forward(self, x):
        Breaks.seen += 1
        out = self.inner(x)
        if Breaks.seen == self.at:
            raise KeyError("broken on purpose")
        return out


def test_after_an_exception_in_the_forward_pass_the_model_is_as_before():
    Breaks.seen = 0
    model = Breaks(at=1)

    def act():
        with pytest.raises(InputError, match=r"KeyError.*broken on purpose"):
            elltwo.decay_plan(model, IMAGES)

    assert_untouched(model, act)


def test_after_an_exception_inside_the_probe_the_model_is_as_before():
    Breaks.seen = 0
    model = Breaks(at=2)

    def act():
        plan = elltwo.decay_plan(model, IMAGES)
        assert "broken on purpose" in plan.notes[0]

    assert_untouched(model, act)


def test_a_hook_that_raises_is_named_and_leaves_no_trace():
    model = cnn()
    model[2].register_forward_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("hook is unhappy")))

    def act():
        with pytest.raises(InputError, match="hook is unhappy"):
            elltwo.decay_plan(model, IMAGES)

    assert_untouched(model, act)


def test_lists_hooks_and_the_random_states_of_python_and_numpy_are_put_back():
    class Logs(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.log, self.stats = nn.Linear(4, 4), [], {"calls": [0]}

        def forward(self, x):
            self.log.append(x)
            self.stats["calls"].append(1)
            self.w.register_forward_hook(lambda *_: None)
            return self.w(x) * (random.random() + np.random.rand())  # noqa: NPY002 - as many forward passes do

    model = Logs()
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - as above
    elltwo.decay_plan(model, torch.randn(3, 4))
    assert (model.log, model.stats, len(model.w._forward_hooks)) == ([], {"calls": [0]}, 0)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002 - as above


def test_a_forward_pass_that_writes_into_its_inputs_leaves_the_batch_alone():
    class Scribbles(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Linear(4, 4)

        def forward(self, pair):
            pair.x.mul_(0)
            return self.w(pair.x + 1)

    pair = collections.namedtuple("Pair", "x")(torch.ones(3, 4))
    elltwo.decay_plan(Scribbles(), pair, forward=lambda m, b: m(b))
    assert torch.equal(pair.x, torch.ones(3, 4))


def test_parameters_and_attributes_changed_in_the_forward_pass_are_put_back():
    class Restless(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.count = nn.Linear(4, 4), 0
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            self.w.weight.data.clamp_(-0.01, 0.01)
            self.count += 1
            self.seen += 1
            self.cache = x
            return self.w(x)

    model, x = Restless(), torch.randn(3, 4)
    assert_untouched(model, lambda: elltwo.decay_plan(model, x))
    assert model.count == 0
    assert not hasattr(model, "cache")


@pytest.mark.parametrize(
    ("model", "batch", "says"),
    [
        (nn.ReLU(), torch.randn(2), "no parameters"),
        (mlp(4, 3), torch.randn(2, 5), "batch of the shape"),
        (nn.LazyLinear(3), torch.randn(2, 5), "not created yet"),
        (cnn(), torch.randn(2, 3, 8, 8) * float("nan"), "NaN"),
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.BatchNorm1d(2)), torch.randn(1, 4), "larger batch"),
        (mlp(4, 3), {"pixels": torch.randn(2, 4)}, "Pass keyword arguments as a dict"),
        ("resnet18", None, "must be a torch.nn.Module"),
    ],
)
def test_bad_input_gets_one_sentence_with_what_to_do(model, batch, says):
    with pytest.raises(ElltwoError, match=says):
        elltwo.decay_plan(model, batch)


class Returns(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.w, self.wrap = nn.Linear(4, 3), wrap

    def forward(self, x, scale=1.0):
        return self.wrap(self.w(x) * scale)


@pytest.mark.parametrize(
    "wrap",
    [lambda y: {"a": {"b": y}}, lambda y: (None, [y, 3]), lambda y: (y, y.argmax(-1)), lambda y: y.sum()],
    ids=["nested dict", "tuple with None", "with integers", "scalar"],
)
def test_outputs_of_any_shape_are_understood(wrap):
    plan = elltwo.decay_plan(Returns(wrap), {"x": torch.randn(5, 4), "scale": 2.0})
    assert plan["w.weight"].scale_invariant == "no"


@pytest.mark.parametrize("wrap", [lambda y: None, lambda y: y.detach(), lambda y: y.argmax(-1)])
def test_an_output_that_depends_on_no_parameter_is_refused(wrap):
    with pytest.raises(InputError, match="in which no tensor depends on a parameter"):
        elltwo.decay_plan(Returns(wrap), torch.randn(5, 4))


def test_a_forward_of_ones_own_replaces_the_call():
    model = Returns(lambda y: y)
    plan = elltwo.decay_plan(model, torch.randn(5, 4), forward=lambda m, b: m(b, scale=3.0))
    assert plan["w.weight"].role == "output head"


def test_nothing_trainable_is_a_plan_that_decays_nothing():
    model = mlp(4, 3).requires_grad_(False)
    plan = elltwo.decay_plan(model, torch.randn(2, 4))
    assert not plan.decayed
    assert "nothing to probe" in plan.notes[0]
    assert {r.reason for r in plan} == {"Is frozen (requires_grad is False): no optimizer moves it."}


def test_integer_parameters_are_planned_and_left_alone():
    model = mlp(4, 3)
    model.register_parameter("codes", nn.Parameter(torch.zeros(7, dtype=torch.int8), requires_grad=False))
    row = elltwo.decay_plan(model, torch.randn(2, 4))["codes"]
    assert (row.strength, row.dtype) == (0.0, "int8")


def test_without_a_batch_the_module_types_speak_and_say_so():
    plan = elltwo.decay_plan(TinyGPT(), None)
    assert plan["out.weight"].evidence == "module type"
    assert plan["n.kernel"].role == "unclassified"
    assert "No batch" in plan.notes[0]


def test_a_batch_that_the_model_documents_is_used():
    model = mlp(4, 3)
    model.example_input_array = torch.randn(2, 4)
    assert elltwo.decay_plan(model)["0.weight"].evidence == "traced"


def test_symmetries_without_real_values_are_refused():
    with torch.device("meta"):
        hollow = mlp(4, 3)
    with pytest.raises(InputError, match="real values"):
        elltwo.symmetries(hollow, torch.randn(2, 4, device="meta"))


def test_the_same_tensor_in_two_modules_is_one_row():
    shared = nn.Linear(4, 4)
    plan = elltwo.decay_plan(nn.Sequential(shared, nn.ReLU(), shared), torch.randn(2, 4))
    assert len(plan) == 2
    assert plan["0.weight"] is plan["2.weight"]


def test_a_copy_can_be_made_before_and_after():
    model = cnn()
    elltwo.decay_plan(model, torch.randn(4, 3, 8, 8))
    twin = copy.deepcopy(model)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"policy": "magic"}, "unknown policy 'magic'"),
        ({"invariant": "maybe"}, "unknown choice for scale-invariant weights"),
        ({"weight_decay": -1}, "finite number >= 0"),
        ({"weight_decay": float("nan")}, "finite number >= 0"),
        ({"overrides": {"*.gamma": 0.0}}, "matches no parameter"),
        ({"strengths": {"weights": 1.0}}, "unknown role"),
        ({"policy": "mup"}, "base= go together"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, says):
    with pytest.raises(UsageError, match=says):
        elltwo.decay_plan(mlp(4, 3), torch.randn(2, 4), **options)


def test_a_loss_that_raises_is_named():
    with pytest.raises(InputError, match="loss failed on the output of Linear: ZeroDivisionError"):
        elltwo.decay_plan(nn.Linear(4, 3), torch.randn(5, 4), loss=lambda y: 1 / 0)


def test_an_empty_batch_is_refused_and_an_empty_layer_is_not():
    with pytest.raises(InputError, match="no values on this batch"):
        elltwo.decay_plan(nn.Linear(4, 3), torch.zeros(0, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that it initializes nothing
        model = nn.Sequential(nn.Linear(4, 0), nn.Linear(0, 3))
    assert [r.shape for r in elltwo.decay_plan(model, torch.randn(5, 4))] == [(0, 4), (0,), (3, 0), (3,)]


def test_inference_mode_around_the_call_is_no_obstacle_and_around_the_model_is_said():
    model, x = nn.Linear(4, 3), torch.randn(5, 4)
    with torch.inference_mode():
        assert elltwo.decay_plan(model, x)["weight"].scale_invariant == "no"
        with pytest.raises(InputError, match=r"was made in torch\.inference_mode"):
            elltwo.decay_plan(nn.Linear(4, 3), x)


def test_a_gradient_hook_that_raises_leaves_roles_and_a_sentence_and_the_model_as_it_was():
    net = nn.Linear(4, 2)
    net.weight.register_hook(lambda gradient: 1 / 0)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    plan = elltwo.decay_plan(net, torch.randn(3, 4))
    assert plan["weight"].strength > 0
    assert any("division by zero" in note for note in plan.notes)
    with pytest.raises(InputError, match=r"the backward pass failed: ZeroDivisionError.*hooks"):
        elltwo.symmetries(net, torch.randn(3, 4))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert net.weight.grad is None


def test_a_batch_that_still_holds_its_targets_is_told_so():
    with pytest.raises(InputError, match="leave targets out"):
        elltwo.decay_plan(nn.Sequential(nn.Linear(4, 2)), (torch.randn(3, 4), torch.zeros(3)))
