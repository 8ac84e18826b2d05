"""Roles come from what an operation does with a parameter, not from its name."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional as F

from decay_models import LowRank, OwnNorm, TinyGPT, TwoHeads, Zoo, cnn, mlp
from elltwo.decay.planning.plan import decay_plan
from elltwo.decay.seeing.ops import op_name, slot_of


def roles(model, batch, **options):
    return {r.name: r.role for r in decay_plan(model, batch, probe=False, **options)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_every_role_is_recognised_in_a_network_whose_names_say_nothing():
    assert roles(Zoo(), torch.randn(4, 5, 6)) == Zoo.expected


def test_roles_on_meta_are_those_on_real_tensors():
    with torch.device("meta"):
        hollow = TinyGPT(qk_norm=True)
    real = roles(TinyGPT(qk_norm=True), torch.randint(0, 11, (2, 6)))
    assert roles(hollow, torch.zeros(2, 6, dtype=torch.long, device="meta")) == real
    assert real["w1.weight"] == "embedding"
    assert real["w2"] == "table"
    assert real["n.kernel"] == "norm scale"
    assert real["out.weight"] == "output head"


def test_names_play_no_part():
    """The same network under hostile names gets the same roles."""
    model = nn.Sequential()
    model.add_module("bias", nn.Linear(4, 5))
    model.add_module("norm_weight", nn.ReLU())
    model.add_module("LayerNorm", nn.Linear(5, 2))
    assert list(roles(model, torch.randn(3, 4)).values()) == list(
        roles(mlp(4, 5, 2), torch.randn(3, 4)).values()
    )


def test_a_low_rank_correction_of_a_frozen_weight_is_an_adapter():
    found = roles(LowRank(), torch.randn(5, 8))
    assert (found["u.weight"], found["v.weight"]) == ("adapter", "adapter")
    free = LowRank()
    free.base.requires_grad_(True)
    assert roles(free, torch.randn(5, 8))["u.weight"] == "linear weight"


def test_a_low_rank_parametrization_in_weight_space_is_an_adapter():
    class InWeight(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.randn(8, 2)), nn.Parameter(torch.randn(2, 8))
            self.w = nn.Parameter(torch.randn(8, 8), requires_grad=False)

        def forward(self, x):
            return F.linear(x, self.w + self.a @ self.b).relu()

    assert roles(InWeight(), torch.randn(3, 8)) == {"a": "adapter", "b": "adapter", "w": "linear weight"}


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(kind):
    found = roles(kind(4, 5), torch.randn(3, 2, 4))
    assert {n: r for n, r in found.items() if "weight" in n} == dict.fromkeys(
        ("weight_ih_l0", "weight_hh_l0"), "recurrent weight"
    )
    assert found["bias_ih_l0"] == "recurrent bias"


def test_multi_head_attention_is_seen_through_its_fused_call():
    found = roles(nn.MultiheadAttention(8, 2), (torch.randn(3, 2, 8),) * 3)
    assert found["in_proj_weight"] == "linear weight"
    assert found["in_proj_bias"] == "bias"
    assert found["out_proj.weight"] in ("linear weight", "output head")


def test_weight_norm_of_torch_has_a_direction_and_a_gain():
    found = roles(
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)), nn.ReLU()), torch.randn(3, 4)
    )
    assert found["0.parametrizations.weight.original0"] == "weight-norm gain"
    assert found["0.parametrizations.weight.original1"] == "weight-norm direction"


def test_spectral_norm_is_a_direction():
    found = roles(
        nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)), nn.ReLU()), torch.randn(3, 4)
    )
    assert found["0.parametrizations.weight.original"] == "weight-norm direction"


def test_addmm_puts_its_first_argument_in_the_bias_slot():
    class Fused(nn.Module):
        def __init__(self):
            super().__init__()
            self.b, self.w = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.randn(4, 5))

        def forward(self, x):
            return torch.addmm(self.b, x, self.w).relu()

    assert roles(Fused(), torch.randn(3, 4)) == {"b": "bias", "w": "matmul weight"}


def test_parameters_are_followed_through_views_casts_and_arithmetic():
    class Wound(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(20))
            self.s = nn.Parameter(torch.randn(5))

        def forward(self, x):
            w = (2 * self.w.view(4, 5).t().double().float()).contiguous()
            return (F.linear(x, w) * (1 + self.s)).tanh()

    assert roles(Wound(), torch.randn(3, 4)) == {"w": "linear weight", "s": "gain"}


def test_an_own_norm_is_a_norm_also_with_division_and_shift():
    class Divides(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.ones(6)), nn.Parameter(torch.zeros(6))

        def forward(self, x):
            return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt() * self.a + self.b

    assert roles(Divides(), torch.randn(3, 6)) == {"a": "norm scale", "b": "norm shift"}
    assert roles(OwnNorm(6), torch.randn(3, 6)) == {"kernel": "norm scale"}


def test_a_table_read_where_the_batch_says_is_an_embedding():
    class Indexed(nn.Module):
        def __init__(self):
            super().__init__()
            self.t = nn.Parameter(torch.randn(9, 4))

        def forward(self, ids):
            return self.t[ids].relu()

    assert roles(Indexed(), torch.randint(0, 9, (3, 5))) == {"t": "embedding"}


def test_tied_weights_are_one_row_with_two_names_and_the_stronger_role():
    plan = decay_plan(TinyGPT(tied=True), torch.randint(0, 11, (2, 6)), probe=False)
    row = plan["out.weight"]
    assert row is plan["w1.weight"]
    assert row.role == "output head"
    assert "embedding" in row.slot
    assert row.aliases == ("out.weight",)


def test_what_the_batch_does_not_touch_falls_back_to_its_module_type():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle, self.loose = nn.Linear(4, 4), nn.Linear(4, 4), nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return self.used(x).relu()

    plan = decay_plan(Branches(), torch.randn(3, 4), weight_decay=0.3)
    assert {r.role for r in plan if not r.name.startswith("used")} == {"unused"}
    assert plan["idle.weight"].strength == 0.3
    assert plan["idle.bias"].strength == 0
    assert plan["loose"].strength == 0
    assert plan["idle.weight"].dead is None


def test_an_unknown_operation_is_said_not_guessed():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.rand(4))

        def forward(self, x):
            return torch.nextafter(x, self.w)

    row = decay_plan(Odd(), torch.randn(3, 4), probe=False)["w"]
    assert (row.role, row.op, row.strength) == ("unclassified", "nextafter", 0)
    assert "overrides" in row.reason


def test_trunk_and_heads_joined_at_the_end():
    assert roles(TwoHeads(), torch.randn(3, 4))["t.weight"] == "linear weight"


def test_conv_nets_have_conv_weights_norms_and_one_head():
    found = list(roles(cnn(), torch.randn(4, 3, 8, 8)).values())
    assert found == [*("conv weight", "norm scale", "norm shift") * 2, "output head", "bias"]


def test_operations_have_one_name_however_they_are_spelled():
    x = torch.ones(2)
    assert {op_name(f) for f in (torch.add, x.add_, torch.Tensor.__radd__, torch.Tensor.__iadd__)} == {"add"}
    assert op_name(torch.Tensor.__rtruediv__) == "div"
    assert op_name(torch.Tensor.T.__get__) == "T"
    assert slot_of("functional.batch_norm", 3) == "scale"
    assert slot_of("batch_norm", 1) == "scale"
    assert slot_of("layer_norm", "weight") == "scale"
