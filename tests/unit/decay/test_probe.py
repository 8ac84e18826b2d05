"""Scale invariance is proven by Euler's identity; every trap of the measurement has its test."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional as F

from decay_models import LiteralEps, OwnNorm, TinyGPT, cnn, mlp
from elltwo.decay.planning.plan import decay_plan
from elltwo.decay.proving.laboratory import grouped_product


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def status(plan, kind="proven"):
    return [r.name for r in plan if r.scale_invariant == kind]


def images(n=4):
    return torch.randn(n, 3, 8, 8)


def test_convolutions_before_batch_norm_are_invariant_and_their_biases_dead():
    plan = decay_plan(cnn(bias=True), images())
    assert status(plan) == ["0.weight", "3.weight"]
    assert [r.name for r in plan if r.dead] == ["0.bias", "3.bias"]
    assert max(r.residual for r in plan if r.scale_invariant == "proven") < 1e-10
    assert min(r.residual for r in plan if r.scale_invariant == "no") > 1e-3
    assert plan["0.weight"].invariant_rows == plan["0.weight"].live_rows == 8
    assert plan["7.weight"].invariant_rows == 0


def test_the_verdict_is_what_rescaling_by_hand_shows():
    """The definition itself: f(c w) = f(w), checked by running the network."""
    model = cnn().double()
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps = 1e-14
            nn.init.normal_(m.weight)
            nn.init.normal_(m.bias)  # at bias 0 the gain before the next norm is invariant by accident
    x = images().double()
    plan, base = decay_plan(model, x), model(x).detach()
    for name, p in model.named_parameters():
        with torch.no_grad():
            p *= 3.0
            change = float((model(x) - base).norm() / base.norm())
            p /= 3.0
        assert (change < 1e-10) == (plan[name].scale_invariant == "proven"), name


@pytest.mark.parametrize("qk_norm", [False, True])
def test_queries_and_keys_are_invariant_exactly_when_they_are_normalized(qk_norm):
    plan = decay_plan(TinyGPT(qk_norm), torch.randint(0, 11, (3, 7)))
    expected = [f"blocks.{i}.{a}.weight" for i in (0, 1) for a in ("a1", "a2")] if qk_norm else []
    assert status(plan) == expected


@pytest.mark.parametrize("norm", [nn.LayerNorm, OwnNorm, nn.RMSNorm])
def test_a_weight_without_bias_before_any_norm_is_invariant(norm):
    plan = decay_plan(nn.Sequential(nn.Linear(5, 6, bias=False), norm(6), nn.Linear(6, 2)), torch.randn(7, 5))
    assert status(plan) == ["0.weight"]


def test_a_bias_beside_the_weight_breaks_invariance_before_layer_norm():
    plan = decay_plan(nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 2)), torch.randn(7, 5))
    assert status(plan) == []


def test_a_literal_eps_gives_an_approximate_verdict_with_its_residual():
    row = decay_plan(LiteralEps(1e-4), images())["p"]
    assert row.scale_invariant == "approximate"
    assert 1e-6 < row.residual < 1e-2
    assert "eps" in row.reason
    tiny = decay_plan(LiteralEps(1e-12), images())["p"]
    assert tiny.scale_invariant == "proven"


def test_a_literal_eps_inside_torchs_own_norms_is_replaced():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(1e-3 * torch.randn(6, 5))

        def forward(self, x):
            return F.layer_norm(F.linear(x, self.w), (6,), None, None, 1e-3).tanh()

    assert status(decay_plan(Functional(), torch.randn(7, 5))) == ["w"]


def test_the_initial_point_is_not_tested_but_the_structure():
    """At beta = 0, gamma = 1 and zero-initialized projections much is invariant by accident."""
    model = nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
    nn.init.zeros_(model[0].bias)
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[4].weight)
    plan = decay_plan(model, torch.randn(7, 5))
    assert status(plan) == []
    assert not any(r.dead for r in plan)


def test_a_tiny_gain_does_not_hide_what_is_behind_it():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.g = mlp(5, 6, 5), nn.Parameter(torch.full((5,), 1e-6))

        def forward(self, x):
            return x + self.g * self.inner(x)

    assert not any(r.dead for r in decay_plan(Scaled(), torch.randn(4, 5)))


def test_dropout_is_no_obstacle():
    model = nn.Sequential(nn.Linear(5, 16, bias=False), nn.LayerNorm(16), nn.Dropout(0.5), nn.Linear(16, 2))
    assert status(decay_plan(model, torch.randn(9, 5))) == ["0.weight"]


def test_frozen_batch_norm_is_probed_as_it_will_be_trained():
    model = cnn()
    model.train()
    model[1].eval()
    assert status(decay_plan(model, images())) == ["3.weight"]
    assert status(decay_plan(model.eval(), images())) == ["0.weight", "3.weight"]


def test_a_class_that_keeps_its_norms_frozen_in_train_is_believed():
    class Frozen(nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            self[1].eval()
            return self

    assert status(decay_plan(Frozen(*cnn()).eval(), images())) == ["3.weight"]


def test_softmax_makes_the_key_bias_dead():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(3))

        def forward(self, x):
            return (self.q(x) @ self.k(x).transpose(1, 2)).softmax(-1) @ self.v(x)

    plan = decay_plan(Attention(), torch.randn(2, 5, 6))
    assert [r.name for r in plan if r.dead] == ["k.bias"]
    assert plan["k.bias"].strength == 0
    assert "identically zero" in plan["k.bias"].reason


def test_a_network_that_computes_in_float32_inside_its_norm_still_passes():
    class Casts(OwnNorm):
        def forward(self, x):
            h = x.float()
            return (h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.kernel

    model = nn.Sequential(nn.Linear(5, 6, bias=False), Casts(6), nn.Linear(6, 2))
    row = decay_plan(model, torch.randn(7, 5))["0.weight"]
    assert row.scale_invariant == "proven"
    assert 1e-12 < row.residual < 1e-6


def test_a_kernel_that_refuses_float64_is_measured_in_float32_and_nothing_is_called_proven():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cnn()

        def forward(self, x):
            if x.dtype != torch.float32:
                raise RuntimeError("expected float32")
            return self.inner(x)

    plan = decay_plan(Single(), images())
    assert status(plan) == []
    assert status(plan, "approximate") == ["inner.0.weight", "inner.3.weight"]
    assert any("float64 failed" in n for n in plan.notes)


def test_a_network_that_overflows_away_from_its_parameters_is_probed_at_them():
    class Steep(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(4))

        def forward(self, x):
            return x * torch.exp(1e6 * self.w.abs().sum())

    plan = decay_plan(Steep(), torch.randn(3, 4))
    assert any("not finite" in n for n in plan.notes)


def test_a_parameter_of_one_element_is_never_called_invariant():
    class Scalar(nn.Module):
        def __init__(self):
            super().__init__()
            self.s = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return (x * self.s).relu()

    row = decay_plan(Scalar(), torch.randn(5, 3))["s"]
    assert (row.scale_invariant, row.residual) == ("no", pytest.approx(1.0))


def test_complex_parameters_are_probed():
    class Wave(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(6, 6, dtype=torch.cfloat))

        def forward(self, x):
            z = x.to(self.w.dtype) @ self.w
            return torch.view_as_real(z / z.abs().square().mean(-1, keepdim=True).sqrt())

    row = decay_plan(Wave(), torch.randn(3, 6))["w"]
    assert (row.role, row.scale_invariant) == ("matmul weight", "proven")


def test_bfloat16_models_are_probed_in_float64():
    model = nn.Sequential(nn.Linear(5, 6, bias=False), nn.LayerNorm(6), nn.Linear(6, 2)).to(torch.bfloat16)
    plan = decay_plan(model, torch.randn(7, 5, dtype=torch.bfloat16))
    assert status(plan) == ["0.weight"]
    assert model[0].weight.dtype == torch.bfloat16


def test_the_loss_may_be_what_is_invariant():
    """A loss that normalizes its input makes the last layer invariant too."""
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3, bias=False))
    x = torch.randn(7, 5)
    assert status(decay_plan(model, x)) == []
    assert status(decay_plan(model, x, loss=lambda out: F.normalize(out, dim=-1).pow(3).sum())) == [
        "2.weight"
    ]


def test_the_random_state_decides_nothing():
    model, x = cnn(), images()
    torch.manual_seed(1)
    one = decay_plan(model, x)
    torch.manual_seed(2)
    assert decay_plan(model, x).diff(one) == ()


def test_rows_without_signal_are_not_counted():
    """Only the ids of the batch give an embedding's rows a signal; rows of one tensor may differ."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 2))
    row = decay_plan(model, torch.tensor([[1, 2, 5]]))["0.weight"]
    assert (row.live_rows, row.invariant_rows) == (3, 0)


def test_rows_may_be_invariant_while_the_tensor_is_not():
    """Half of the outputs are normalized each by itself, the others are not."""

    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Linear(5, 6, bias=False)
            self.n = nn.BatchNorm1d(3)

        def forward(self, x):
            y = self.w(x)
            return torch.cat([self.n(y[:, :3]), y[:, 3:].tanh()], 1)

    row = decay_plan(Half(), torch.randn(9, 5))["w.weight"]
    assert (row.scale_invariant, row.live_rows, row.invariant_rows) == ("no", 6, 3)


@pytest.mark.parametrize(
    ("layer", "units"),
    [(nn.ConvTranspose2d(3, 5, 3, bias=False), 5), (nn.Conv2d(3, 6, 3, bias=False), 6)],
    ids=["transposed", "plain"],
)
def test_output_units_are_counted_along_the_axis_that_makes_them(layer, units):
    model = nn.Sequential(layer, nn.BatchNorm2d(units), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    model(images())
    row = decay_plan(model, images())["0.weight"]
    assert (row.invariant_rows, row.live_rows) == (units, units)


def test_a_matrix_on_the_right_counts_its_columns():
    class Right(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.n, self.out = nn.Parameter(torch.randn(3, 5)), nn.BatchNorm1d(5), nn.Linear(5, 2)

        def forward(self, x):
            return self.out(self.n(x @ self.w))

    row = decay_plan(Right(), torch.randn(8, 3))["w"]
    assert (row.invariant_rows, row.live_rows) == (5, 5)


def test_a_grouped_product_written_out_is_torchs_own():
    torch.manual_seed(0)
    a, b = torch.randn(24, 16), torch.randn(3, 16, 8)
    offs = torch.tensor([8, 16, 24], dtype=torch.int32)
    assert torch.allclose(grouped_product(a, b, offs=offs), torch._grouped_mm(a, b, offs=offs), atol=1e-5)


def test_experts_whose_kernel_takes_float32_at_most_are_proven_in_float64():
    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.n = nn.Linear(5, 16, bias=False), nn.LayerNorm(16)
            self.w = nn.Parameter(torch.randn(2, 16, 8))

        def forward(self, x):
            offs = torch.tensor([len(x) // 2, len(x)], dtype=torch.int32)
            return torch._grouped_mm(self.n(self.inner(x)), self.w, offs=offs).relu()

    plan = decay_plan(Grouped(), torch.randn(8, 5))
    assert status(plan) == ["inner.weight"]
    assert plan["w"].role == "matmul weight"
    assert not plan.notes


def test_an_integer_parameter_does_not_stop_the_probe():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.head = nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 2)
            self.order = nn.Parameter(torch.arange(8), requires_grad=False)

        def forward(self, x):
            return self.head(self.norm(self.conv(x))[:, self.order].relu())

    plan = decay_plan(Net(), torch.randn(16, 4))
    assert plan["conv.weight"].scale_invariant == "proven"
    assert plan["order"].strength == 0
    assert not plan.notes


@pytest.mark.parametrize("seed", range(6))
def test_a_small_layer_of_relus_that_is_off_at_one_point_is_not_called_dead(seed):
    class Squeeze(nn.Module):
        """A gate of two hidden ReLUs: off for the whole batch at about a quarter of all generic points."""

        def __init__(self):
            super().__init__()
            self.into, self.down, self.up, self.head = (
                nn.Linear(a, b) for a, b in ((3, 6), (6, 2), (2, 6), (6, 2))
            )

        def forward(self, x):
            h = self.into(x).relu()
            gate = self.up(self.down(h.mean(0, keepdim=True)).relu()).sigmoid()
            return self.head(h * gate)

    torch.manual_seed(seed)
    plan = decay_plan(Squeeze(), torch.randn(8, 3))
    assert not any(r.dead for r in plan)
    assert plan["down.weight"].strength > 0
