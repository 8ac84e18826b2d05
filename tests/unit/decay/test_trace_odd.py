"""Roles where a parameter takes a detour: a router's choice, a modulation, a one-hot product, a scripted layer."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional as F

from elltwo.decay.planning.plan import decay_plan


def roles(model, batch):
    return {r.name: r.role for r in decay_plan(model, batch, probe=False)}


class Experts(nn.Module):
    """A layer of experts that gathers the chosen weights and biases."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.w, self.b = nn.Parameter(torch.randn(4, 6, 8)), nn.Parameter(torch.zeros(4, 6))

    def forward(self, x):
        values, chosen = torch.topk(self.gate(x), 2, dim=-1)
        h = torch.einsum("beck,bk->bec", self.w[chosen], x) + self.b[chosen]
        return torch.einsum("bec,be->bc", h.tanh(), values.softmax(-1))


def test_what_a_router_gathers_is_weight_and_bias_no_embedding():
    found = roles(Experts(), torch.randn(5, 8))
    assert found == {"gate.weight": "router", "gate.bias": "bias", "w": "einsum weight", "b": "bias"}


class Modulated(nn.Module):
    """A convolution whose kernel is multiplied by styles from the batch and demodulated, as in StyleGAN 2."""

    def __init__(self):
        super().__init__()
        self.style, self.w = nn.Linear(4, 3), nn.Parameter(torch.randn(6, 3, 3, 3))

    def forward(self, z, x):
        n = len(z)
        w = self.w[None] * self.style(z)[:, None, :, None, None]
        w = w * torch.rsqrt(w.square().sum([2, 3, 4], keepdim=True) + 1e-8)
        return F.conv2d(x.reshape(1, -1, 8, 8), w.reshape(n * 6, 3, 3, 3), groups=n).reshape(n, 6, 6, 6)


def test_a_kernel_scaled_by_the_batch_is_still_a_kernel():
    row = decay_plan(Modulated(), (torch.randn(2, 4), torch.randn(2, 3, 8, 8)), weight_decay=0.2)["w"]
    assert (row.role, row.strength) == ("conv weight", 0.2)
    assert row.scale_invariant == "proven"


def test_a_learned_initial_state_is_a_table_and_its_recurrent_matrix_a_weight():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.h, self.u, self.w = (nn.Parameter(torch.randn(*s)) for s in ((5,), (5, 5), (3, 5)))

        def forward(self, x):
            h = self.h.expand(len(x), 5)
            for t in range(x.shape[1]):
                h = torch.tanh(x[:, t] @ self.w + h @ self.u)
            return h

    found = roles(Recurrent(), torch.randn(2, 4, 3))
    assert found == {"h": "table", "u": "matmul weight", "w": "matmul weight"}


@pytest.mark.parametrize(("fixed", "role"), [(True, "table"), (False, "embedding")])
def test_a_one_hot_matrix_times_a_table_is_a_lookup(fixed, role):
    class OneHot(nn.Module):
        def __init__(self):
            super().__init__()
            self.t, self.out = nn.Parameter(torch.randn(6, 4)), nn.Linear(4, 2)

        def forward(self, ids):
            index = torch.arange(ids.shape[1]).expand_as(ids) if fixed else ids
            return self.out(F.one_hot(index, 6).to(self.t) @ self.t)

    assert roles(OneHot(), torch.randint(0, 6, (2, 5)))["t"] == role


def test_a_gain_behind_a_whole_norm_is_no_norm_scale():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.n, self.mix, self.shift = (
                nn.LayerNorm(4),
                nn.Parameter(torch.ones(4)),
                nn.Parameter(torch.zeros(4)),
            )

        def forward(self, x):
            return self.n(x) * self.mix + self.shift

    found = roles(Mixed(), torch.randn(3, 4))
    assert found == {"n.weight": "norm scale", "n.bias": "norm shift", "mix": "gain", "shift": "bias"}


def test_mixing_weights_behind_a_softmax_are_log_parameters():
    class Search(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.zeros(3))
            self.w = nn.ParameterList(nn.Parameter(torch.randn(4, 4)) for _ in range(3))

        def forward(self, x):
            shares = self.a.softmax(0)
            return (x @ sum(shares[i] * self.w[i] for i in range(3))).relu()

    found = roles(Search(), torch.randn(2, 4))
    assert found.pop("a") == "log-parameter"
    assert set(found.values()) == {"matmul weight"}


def test_the_head_of_fused_attention_is_its_output_projection():
    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.MultiheadAttention(8, 2, kdim=6, vdim=6)

        def forward(self, x, y):
            return self.a(x, y, y, need_weights=False)[0]

    found = roles(Cross(), (torch.randn(3, 2, 8), torch.randn(4, 2, 6)))
    assert [n for n, r in found.items() if r == "output head"] == ["a.out_proj.weight"]


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_a_scripted_layer_is_unclassified_not_unused():
    plan = decay_plan(nn.Sequential(torch.jit.script(nn.Linear(4, 3)), nn.Linear(3, 2)), torch.randn(5, 4))
    assert [r.role for r in plan] == ["unclassified", "unclassified", "output head", "bias"]
    assert plan["0.weight"].scale_invariant == "no"


def test_a_layer_that_is_dropped_at_random_is_seen_in_another_pass():
    class Drops(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.b(x).relu() if torch.rand([]) < 0.55 else self.a(x).relu()

    first = [r.role for r in decay_plan(Drops(), torch.randn(2, 4), probe=False)]
    assert first == ["linear weight", "bias"] * 2
    torch.manual_seed(7)
    assert [r.role for r in decay_plan(Drops(), torch.randn(2, 4), probe=False)] == first


def test_an_attention_vector_multiplied_and_summed_is_a_weight_and_a_gain_that_is_pooled_is_not():
    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.g = nn.Parameter(torch.randn(1, 2, 4)), nn.Parameter(torch.ones(4))

        def forward(self, x):  # x: (tokens, heads, channels)
            return (x * self.a).sum(-1), (x * self.g).sum(0)

    assert roles(Scores(), torch.randn(5, 2, 4)) == {"a": "matmul weight", "g": "gain"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_learned_state_that_a_recurrent_layer_starts_from_is_a_table_and_not_a_weight(packed):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.cell = nn.LSTM(4, 6), nn.GRUCell(6, 6)
            self.h0, self.c0 = (nn.Parameter(torch.zeros(1, 1, 6)) for _ in range(2))
            self.start = nn.Parameter(torch.zeros(6))

        def forward(self, x):
            state = tuple(t.expand(-1, x.shape[1], -1).contiguous() for t in (self.h0, self.c0))
            given = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 4, 2])) if packed else x
            _, (h, _) = self.rnn(given, state)
            return self.cell(h[0], self.start.expand(x.shape[1], -1))

    roles = {r.name: r.role for r in decay_plan(Net(), torch.randn(5, 3, 4))}
    assert {n for n, r in roles.items() if r == "table"} == {"h0", "c0", "start"}
    assert {n for n, r in roles.items() if r == "recurrent weight"} == {
        "rnn.weight_ih_l0", "rnn.weight_hh_l0", "cell.weight_ih", "cell.weight_hh"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["linear", "matmul", "conv"])
def test_a_low_rank_path_beside_a_frozen_weight_is_an_adapter_however_it_is_written(kind):
    class Adapted(nn.Module):
        def __init__(self):
            super().__init__()
            if kind == "conv":
                self.base = nn.Conv2d(3, 8, 3, padding=1).requires_grad_(False)
                self.A, self.B = nn.Conv2d(3, 2, 3, padding=1, bias=False), nn.Conv2d(2, 8, 1, bias=False)
            elif kind == "linear":
                self.base = nn.Linear(3, 8).requires_grad_(False)
                self.A, self.B = nn.Linear(3, 2, bias=False), nn.Linear(2, 8, bias=False)
            else:
                self.base = nn.Linear(3, 8).requires_grad_(False)
                self.A, self.B = nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.zeros(8, 2))

        def forward(self, x):
            if kind == "matmul":
                return (self.base(x) + 2.0 * (x @ self.A.T @ self.B.T)).relu()
            return (self.base(x) + 2.0 * self.B(self.A(x))).relu()

    batch = torch.randn(2, 3, 5, 5) if kind == "conv" else torch.randn(6, 3)
    roles = {r.name: r.role for r in decay_plan(Adapted(), batch)}
    assert [r for n, r in roles.items() if n[0] in "AB"] == ["adapter", "adapter"]


def test_two_trained_maps_in_a_row_beside_a_trained_one_are_no_adapter():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.base, self.A, self.B = nn.Linear(3, 8), nn.Linear(3, 4), nn.Linear(4, 8)

        def forward(self, x):
            return self.base(x) + self.B(self.A(x))

    assert "adapter" not in {r.role for r in decay_plan(Wide(), torch.randn(6, 3))}


def test_prototypes_compared_by_their_cosine_are_directions_and_proven_scale_invariant():
    class Prototypes(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.prototypes = nn.Linear(6, 8), nn.Parameter(torch.randn(5, 8))

        def forward(self, x):
            return 10.0 * F.cosine_similarity(self.features(x)[:, None], self.prototypes[None], dim=-1)

    row = decay_plan(Prototypes(), torch.randn(7, 6))["prototypes"]
    assert (row.role, row.scale_invariant) == ("weight-norm direction", "proven")
