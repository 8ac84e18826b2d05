"""A plan is plain data: policies, overrides, groups, JSON, differences, text."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import elltwo
from decay_models import TinyGPT, cnn, mlp
from elltwo.cli.main import main
from elltwo.decay.commands import audit_command, plan_command
from elltwo.decay.planning.heuristics import RULES
from elltwo.errors import DataError, InputError, UsageError
from elltwo.facts.decayplan import ROLES, DecayPlan, plain_name
from elltwo.reporting.decay_plan import plan_html


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return cnn()


@pytest.fixture(scope="module")
def images():
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def plan(net, images):
    return elltwo.decay_plan(net, images, weight_decay=0.05)


def test_the_standard_policy_decays_what_multiplies_and_nothing_else(plan):
    assert [r.name for r in plan.decayed] == ["0.weight", "3.weight", "7.weight"]
    assert {r.strength for r in plan.decayed} == {0.05}
    assert all(r.role in ROLES and r.reason.endswith(".") for r in plan)


@pytest.mark.parametrize(
    ("choice", "strength", "law"),
    [("decay", 0.05, "plain"), ("exempt", 0, "plain"), ("corrected", 0.05, "corrected")],
)
def test_scale_invariant_weights_get_what_was_chosen_and_the_reason_says_so(
    net, images, choice, strength, law
):
    made = elltwo.decay_plan(net, images, weight_decay=0.05, invariant=choice)
    row = made["0.weight"]
    assert (row.strength, row.law) == (strength, law)
    assert "does not change with its scale" in row.reason
    assert made["7.weight"].strength == 0.05
    assert made["7.weight"].law == "plain"


def test_strengths_by_role_and_overrides_by_glob_apply_in_that_order(net, images):
    made = elltwo.decay_plan(
        net,
        images,
        weight_decay=0.1,
        strengths={"output head": 0.7, "bias": 0.2},
        overrides={"*.bias": 0.0, "0.*": 0.3},
    )
    assert made["7.weight"].strength == 0.7
    assert made["7.bias"].strength == 0.0
    assert made["0.weight"].strength == 0.3
    assert made["0.weight"].override == "0.*"
    assert "your override '0.*'" in made["0.weight"].reason


def test_groups_hold_every_trainable_tensor_once_with_its_strength(net, plan):
    groups = plan.groups(lr=1e-3)
    held = {n: (p, g["weight_decay"]) for g in groups for n, p in g["params"]}
    assert held.keys() == dict(net.named_parameters()).keys()
    assert all(held[n][0] is p for n, p in net.named_parameters())
    assert all(held[r.name][1] == r.strength for r in plan)
    assert [g["name"] for g in groups] == ["decay", "no decay"]
    assert len(plan.groups(by="role")) == len({(r.role, r.strength) for r in plan})
    assert len(plan.groups(by="tensor")) == len(plan)
    with pytest.raises(UsageError, match="unknown grouping"):
        plan.groups(by="colour")


STOCK = {
    "AdamW": {"fused": True},
    "Adam": {"foreach": True},
    "SGD": {"momentum": 0.9},
    "NAdam": {},
    "RMSprop": {},
    "Adafactor": {},
    "ASGD": {},
}


@pytest.mark.parametrize("name", STOCK)
def test_groups_drive_the_stock_optimizers_and_names_survive_state_dict(name, images):
    torch.manual_seed(0)
    net = cnn()
    opt = getattr(torch.optim, name)(
        elltwo.decay_plan(net, images, probe=False).groups(lr=1e-3), **STOCK[name]
    )
    net(images).sum().backward()
    opt.step()
    saved = opt.state_dict()["param_groups"]
    assert saved[0]["param_names"] == ["0.weight", "3.weight", "7.weight"]
    assert [g["weight_decay"] for g in saved] == [0.1, 0.0]
    opt.load_state_dict(opt.state_dict())


def test_muon_takes_the_matrices_of_a_plan():
    model = mlp(4, 5, 3, bias=False)
    opt = torch.optim.Muon(elltwo.decay_plan(model, torch.randn(2, 4), probe=False).groups(lr=1e-3))
    model(torch.randn(2, 4)).sum().backward()
    opt.step()


def test_muon_and_adamw_share_a_model_by_rows(images):
    net = cnn()
    plan = elltwo.decay_plan(net, images, probe=False)

    def hidden(row):
        return row.multiplicative and len(row.shape) == 2

    muon = torch.optim.Muon(plan.groups(lr=0.02, only=hidden))
    adam = torch.optim.AdamW(plan.groups(lr=1e-3, only=lambda row: not hidden(row)))
    held = [id(p) for o in (muon, adam) for g in o.param_groups for p in g["params"]]
    assert sorted(held) == sorted(id(p) for p in net.parameters())
    assert "in-no-group" not in elltwo.audit([muon, adam], net, images).codes()


class ScheduleFreeLike(torch.optim.Optimizer):
    """The shape of schedule-free SGD: own keys in each group, decay at y and in z, train and eval points."""

    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "k": 0, "train_mode": True})

    def step(self):
        for group in self.param_groups:
            group["k"] += 1
            for p in (p for p in group["params"] if p.grad is not None):
                z = self.state[p].setdefault("z", p.detach().clone())
                step = group["lr"] * (p.grad + group["weight_decay"] * p.detach())
                p.data.lerp_(z, 1 / group["k"]).sub_(step)
                z.sub_(step)


def test_a_schedule_free_optimizer_takes_the_groups_and_decays_what_they_say(images):
    net = cnn()
    opt = ScheduleFreeLike(elltwo.decay_plan(net, images, probe=False).groups(lr=0.1))
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    opt.step()
    shrunk = {n for n, p in net.named_parameters() if not torch.equal(p, before[n])}
    assert shrunk == {"0.weight", "3.weight", "7.weight"}
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["0.weight", "3.weight", "7.weight"]


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"foreach": True}])
def test_a_tensor_valued_weight_decay_can_be_changed_in_place(options):
    model = mlp(3, 2, bias=False)
    groups = elltwo.decay_plan(model, torch.randn(2, 3), probe=False).groups(lr=0.1, number=torch.tensor)
    opt = torch.optim.AdamW(groups, **options)
    before = model[0].weight.detach().clone()
    groups[0]["weight_decay"].fill_(2.0)
    opt.param_groups[0]["weight_decay"].fill_(2.0)
    model[0].weight.grad = torch.zeros_like(before)
    opt.step()
    assert torch.allclose(model[0].weight, before * (1 - 0.1 * 2.0), atol=1e-7)


def test_decay_acts_on_planned_tensors_only(net, images):
    """One step without gradient shrinks exactly the planned tensors, by 1 - lr weight_decay."""
    model = cnn()
    plan = elltwo.decay_plan(model, images, weight_decay=0.5, probe=False)
    opt = torch.optim.AdamW(plan.groups(lr=0.1))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    opt.step()
    for name, p in model.named_parameters():
        expected = before[name] * (1 - 0.1 * plan[name].strength)
        assert torch.allclose(p, expected, atol=1e-7), name


def test_json_brings_back_the_same_plan(plan, tmp_path, net):
    path = tmp_path / "plan.json"
    plan.save(path)
    again = DecayPlan.load(path)
    assert again == plan
    assert again.diff(plan) == ()
    with pytest.raises(UsageError, match="read from a file"):
        again.groups()
    assert [g["name"] for g in again.groups(model=net)] == ["decay", "no decay"]
    assert not list(tmp_path.glob(".*tmp"))


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"elltwo_decay_plan": 1}', '{"elltwo_decay_plan": 9, "rows": []}']
)
def test_a_file_that_is_no_plan_is_refused(text, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(DataError, match="plan"):
        DecayPlan.load(path)


def test_a_plan_with_a_foreign_strength_or_role_is_refused(plan):
    for change in ({"strength": -1}, {"strength": "inf"}, {"role": "king"}):
        data = plan.to_dict()
        data["rows"][0].update(change)
        with pytest.raises(DataError, match="damaged"):
            DecayPlan.from_dict(data)


def test_an_unwritable_place_is_one_sentence(plan, tmp_path):
    with pytest.raises(InputError, match="cannot write the plan"):
        plan.save(tmp_path / "no" / "such" / "folder.json")


def test_diff_says_what_changed(net, images, plan):
    other = elltwo.decay_plan(net, images, weight_decay=0.05, policy="torchvision")
    changes = {c.name: (c.before, c.after) for c in plan.diff(other) if c.what == "strength"}
    assert changes == {"7.bias": (0.0, 0.05)}
    fewer = DecayPlan(plan.rows[1:], "standard", 0.05)
    assert [str(c) for c in plan.diff(fewer)] == ["0.weight: is in the plan True -> False"]


def test_a_plan_does_not_fit_another_model(plan):
    with pytest.raises(UsageError, match="do not fit"):
        plan.groups(model=mlp(3, 4))


def test_the_table_fits_eighty_columns_and_gives_each_reason_once(plan):
    lines = str(plan).splitlines()
    assert max(map(len, lines)) <= 80
    for row in plan:
        assert sum(row.name in line for line in lines) == 1
    flat = " ".join(str(plan).split())
    assert all(flat.count(" ".join(r.reason.split())) == 1 for r in plan)


def test_an_unknown_name_is_refused(plan):
    with pytest.raises(UsageError, match="no parameter named 'x'"):
        plan["x"]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_as_policy_decays_what_the_rule_says_and_shows_the_role(rule, net, images):
    made = elltwo.decay_plan(net, images, policy=rule, probe=False)
    assert {r.name for r in made.decayed} == RULES[rule](net)
    assert all(r.role in r.reason for r in made)


def test_mup_scales_hidden_matrices_by_their_fan_in(images):
    ids = torch.randint(0, 11, (2, 6))
    made = elltwo.decay_plan(
        TinyGPT(width=32), ids, policy="mup", base=TinyGPT(width=16), weight_decay=0.1, probe=False
    )
    hidden, head = made["blocks.0.a1.weight"], made["out.weight"]
    assert (hidden.strength, hidden.lr_scale) == (pytest.approx(0.2), 0.5)
    assert (head.strength, head.lr_scale) == (0.1, 1.0)
    lrs = {g["lr"] * g["weight_decay"] for g in made.groups(lr=1e-2) if g["weight_decay"]}
    assert all(v == pytest.approx(1e-3) for v in lrs)
    with pytest.raises(UsageError, match="same parameter names"):
        elltwo.decay_plan(TinyGPT(), ids, policy="mup", base=mlp(3, 4), probe=False)


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        ("module.layer.weight", "layer.weight"),
        ("_orig_mod.module.layer.weight", "layer.weight"),
        ("layer._fsdp_wrapped_module.weight", "layer.weight"),
        ("base_model.model.q.base_layer.weight", "q.weight"),
        ("a.module.weight", "a.module.weight"),
    ],
)
def test_wrappers_prefixes_are_taken_off(wrapped, plain):
    assert plain_name(wrapped) == plain


def test_facts_about_plans_need_no_torch():
    code = "import sys, elltwo.facts.decayplan, elltwo.facts.symmetry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_is_self_contained_and_escapes(plan):
    page = plan_html(plan)
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    assert all(r.name in page for r in plan)
    odd = DecayPlan(plan.rows, "standard", 0.05, model="<script>alert(1)</script>")
    assert "<script>" not in plan_html(odd)


TARGET = """
import torch
from torch import nn
def model_only(): return nn.Linear(3, 2)
def build():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    return model, torch.randn(5, 3), torch.optim.AdamW(model.parameters(), 1e-3)
def as_dict():
    model, batch, _ = build()
    return {"model": model, "batch": {"input": batch}, "forward": lambda m, b: m(b["input"])}
def broken(): raise OSError("no data here")
def nothing(): return 3
def typo(): return {"model": nn.Linear(3, 2), "bach": 1}
"""


@pytest.fixture
def train_py(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(TARGET)
    return path


def test_the_plan_command_prints_a_table_and_writes_a_page_and_json(train_py, tmp_path, capsys):
    page = tmp_path / "plan.html"
    assert main(["plan", f"{train_py}:build", "--html", str(page)]) == 0
    assert "output head" in capsys.readouterr().out
    assert "Decay plan of Sequential" in page.read_text()
    options = ["--policy", "nanogpt", "--weight-decay", "0.2", "--json"]
    assert main(["plan", f"{train_py}:as_dict", *options]) == 0
    assert DecayPlan.from_dict(json.loads(capsys.readouterr().out)).policy == "nanogpt"
    assert (
        main(["plan", f"{train_py}:build", "--override", "*.bias=0.3", "--invariant", "exempt", "--json"])
        == 0
    )
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {r["strength"] for r in rows if r["name"].endswith("bias")} == {0.3}
    assert main(["plan", f"{train_py}:build", "--override", "*.bias"]) == 2
    assert "GLOB=DECAY" in capsys.readouterr().err
    assert "No batch was given" in str(plan_command(f"{train_py}:model_only"))


def test_audit_command_returns_findings_and_an_exit_code(train_py):
    findings, code = audit_command(f"{train_py}:build")
    assert code == 1
    assert "decayed-bias" in [f.code for f in findings]


@pytest.mark.parametrize(
    ("target", "error", "says"),
    [
        ("train.py", UsageError, "path/to/train.py:build"),
        ("{}:absent", UsageError, "no function 'absent'"),
        ("{}:broken", InputError, "OSError: no data here"),
        ("{}:nothing", UsageError, "returned int"),
        ("{}:typo", UsageError, "unknown keys"),
        ("nowhere.py:build", InputError, "no file"),
    ],
)
def test_targets_that_cannot_be_built_are_refused(train_py, target, error, says):
    with pytest.raises(error, match=says):
        plan_command(target.format(train_py))


def test_a_target_without_an_optimizer_cannot_be_audited(train_py):
    with pytest.raises(UsageError, match="no optimizer"):
        audit_command(f"{train_py}:model_only")


def test_a_file_that_does_not_import_is_named(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("import nothing_of_this_name\n")
    with pytest.raises(InputError, match=r"bad\.py cannot be imported: ModuleNotFoundError"):
        plan_command(f"{path}:build")


def test_embeddings_are_spared_unless_tied_to_the_head():
    ids = torch.randint(0, 11, (2, 6))
    assert elltwo.decay_plan(TinyGPT(), ids, probe=False)["w1.weight"].strength == 0
    assert elltwo.decay_plan(TinyGPT(tied=True), ids, probe=False)["w1.weight"].strength > 0


def test_frozen_tensors_are_in_no_group():
    model = mlp(3, 4, 2)
    model[0].requires_grad_(False)
    groups = elltwo.decay_plan(model, torch.randn(2, 3), probe=False).groups(named=False)
    assert {id(p) for g in groups for p in g["params"]} == {id(p) for p in model[2].parameters()}
    assert isinstance(model, nn.Module)
