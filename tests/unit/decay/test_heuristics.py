"""The rules in use, as written here, agree with the programs they come from, on real models."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from decay_models import TinyGPT, cnn, torchvision_beside_cpu_torch
from elltwo.decay.planning import heuristics


def test_timms_rule_agrees_with_timm():
    torchvision_beside_cpu_torch()
    timm = pytest.importorskip("timm")
    optim = pytest.importorskip("timm.optim")
    for name in (
        "vit_tiny_patch16_224",
        "swin_tiny_patch4_window7_224",
        "nf_resnet50",
        "levit_128",
        "resnet18",
    ):
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
        listed = model.no_weight_decay() if hasattr(model, "no_weight_decay") else ()
        groups = optim.param_groups_weight_decay(model, 0.05, no_weight_decay_list=listed)
        decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
        names = {n for n, p in model.named_parameters() if id(p) in decayed}
        assert heuristics.timm(model) == names, name


def test_the_trainers_rule_agrees_with_transformers():
    torchvision_beside_cpu_torch()
    pytest.importorskip("transformers")
    utilities = pytest.importorskip("transformers.trainer_pt_utils")
    patterns = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    extra = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4))
    extra.add_module("rms_norm1", nn.Linear(4, 4))
    extra.add_module("norm", nn.Sequential(nn.Linear(4, 4)))
    for model in (TinyGPT(), cnn(bias=True), extra, nn.TransformerEncoderLayer(8, 2)):
        theirs = utilities.get_parameter_names(model, [nn.LayerNorm], patterns)
        present = dict(model.named_parameters())  # theirs lists slots that hold None, too
        assert heuristics.hf(model) == {n for n in theirs if n in present}


def test_each_rule_has_its_known_hole():
    """Facts of the scoreboard in small: what each rule decays or skips by mistake."""
    gpt = TinyGPT()
    assert "w2" in heuristics.nanogpt(gpt)  # a position table
    assert "n.kernel" in heuristics.bert(gpt)  # an own norm
    assert "n.kernel" in heuristics.hf(gpt)
    assert "n.kernel" in heuristics.torchvision(gpt)
    assert "0.bias" in heuristics.torchvision(cnn(bias=True))
    assert "1.weight" in heuristics.pytorch_optimizer(cnn())
    attention = nn.Sequential(nn.MultiheadAttention(8, 2))
    assert "0.in_proj_weight" not in heuristics.mingpt(attention)
    assert heuristics.mingpt(nn.Sequential(nn.Linear(3, 2))) == {"0.weight"}


def test_a_tied_tensor_is_listed_once():
    names = [o.name for o in heuristics.owned(TinyGPT(tied=True))]
    assert names.count("w1.weight") + names.count("out.weight") == 1
