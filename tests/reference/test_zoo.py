"""Published architectures: roles of about 200 on meta, and invariance of a dozen with real values.

The expected counts were measured once and are facts about the architectures: a convolution that feeds a
batch norm is scale-invariant, queries and keys behind a QK-norm are, and so on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import elltwo
from decay_models import torchvision_beside_cpu_torch

pytestmark = pytest.mark.slow
torchvision_beside_cpu_torch()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def weights(plan):
    return [r for r in plan if r.multiplicative]


def proven(plan):
    return [r.name for r in weights(plan) if r.scale_invariant == "proven"]


# name: (side of the image, weights, of these proven scale-invariant, dead tensors)
CONVOLUTIONAL = {
    "resnet18": (32, 21, 20, 0),
    "resnet50": (32, 54, 53, 0),
    "densenet121": (64, 121, 120, 0),
    "mobilenetv3_small_100": (64, 54, 34, 11),
    "efficientnet_b0": (64, 82, 49, 16),
    "regnety_002": (64, 71, 44, 0),
    "resnetv2_50x1_bit": (32, 54, 53, 0),
    "convnext_atto": (64, 41, 0, 0),
}


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_invariant_weights_of_convolutional_networks(name):
    timm = pytest.importorskip("timm")
    side, total, invariant, dead = CONVOLUTIONAL[name]
    model = timm.create_model(name, pretrained=False)
    plan = elltwo.decay_plan(model, torch.randn(4, 3, side, side))
    assert (len(weights(plan)), len(proven(plan)), sum(r.dead is True for r in plan)) == (
        total,
        invariant,
        dead,
    )
    worst = max((r.residual for r in plan if r.scale_invariant == "proven"), default=0.0)
    best = min(r.residual for r in plan if r.scale_invariant == "no")
    assert worst < 1e-9
    assert best > 1e-3


def test_a_vision_transformer_has_no_invariant_weight():
    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=64, depth=4)
    plan = elltwo.decay_plan(model, torch.randn(2, 3, 64, 64))
    assert proven(plan) == []
    assert plan["pos_embed"].role == plan["cls_token"].role == "table"


LANGUAGE = {
    "Qwen3": ("q_proj", "k_proj"),
    "Gemma3": ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"),
    "Olmo2": ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"),
    "Llama": (),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LANGUAGE)
def test_invariant_weights_of_language_models(name):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, "Gemma3TextConfig" if name == "Gemma3" else f"{name}Config")(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    plan = elltwo.decay_plan(model, {"input_ids": torch.randint(0, 50, (2, 9))})
    found = {(r.name.split(".")[2], r.name.split(".")[-2]) for r in plan if r.scale_invariant == "proven"}
    assert found == {(layer, w) for layer in "01" for w in LANGUAGE[name]}


@pytest.mark.filterwarnings("ignore")
def test_invariant_weights_of_a_mixture_of_experts_are_proven_though_its_kernel_takes_no_float64():
    transformers = pytest.importorskip("transformers")
    config = transformers.Qwen3MoeConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, moe_intermediate_size=8, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, num_experts=4, num_experts_per_tok=2, pad_token_id=0,
    )  # fmt: skip
    plan = elltwo.decay_plan(
        transformers.Qwen3MoeForCausalLM(config), {"input_ids": torch.randint(0, 50, (2, 9))}
    )
    assert {n.split(".")[-2] for n in proven(plan)} == {"q_proj", "k_proj"}
    assert {r.role for r in plan if ".experts." in r.name} == {"matmul weight"}
    assert plan["model.layers.0.mlp.gate.weight"].role == "router"


@pytest.mark.filterwarnings("ignore")
def test_gpt2_under_nanogpts_rule_has_the_published_counts():
    """nanoGPT prints: 50 tensors with 124,354,560 parameters decayed, 98 with 121,344 not (vocabulary 50304)."""
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=50304))
        plan = elltwo.decay_plan(model, torch.zeros(1, 8, dtype=torch.long), policy="nanogpt")
    assert (len(plan.decayed), sum(r.numel for r in plan.decayed)) == (50, 124_354_560)
    assert (len(plan.spared), sum(r.numel for r in plan.spared)) == (98, 121_344)
    standard = plan.diff(
        elltwo.decay_plan(model, torch.zeros(1, 8, dtype=torch.long, device="meta"), weight_decay=0.1)
    )
    assert [c.name for c in standard if c.what == "strength"] == ["transformer.wpe.weight"]


@pytest.mark.filterwarnings("ignore")
def test_llama_has_seven_symmetries():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    found = elltwo.symmetries(model, {"input_ids": torch.randint(0, 50, (2, 9))})
    assert len(found) == 7
    assert sum(s.kind == "joint scale invariance" for s in found) == 1  # the residual stream


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("zoo", ["torchvision", "timm", "transformers"])
def test_every_exercised_tensor_of_the_zoos_on_meta_has_a_role(zoo):
    """About 200 architectures; at most 1 % of what the forward pass touches may stay unclassified."""
    pytest.importorskip(zoo)
    sys.path.insert(0, str(Path(__file__).parents[2]))
    try:
        from benchmarks.zoo import architectures, examine
    finally:
        sys.path.pop(0)
    wanted = {"torchvision": 50, "timm": 110, "transformers": 40}[zoo]
    good = []
    for architecture in architectures((zoo,)):
        record = examine(architecture)
        if not record["error"]:
            good.append(record)
        if len(good) == wanted:
            break
    assert len(good) == wanted
    assert sum(r["unclassified"] for r in good) <= 0.01 * sum(r["exercised"] for r in good)
    wrong = [r for r in good if r["bert decays wrongly"]]
    assert len(wrong) > 0.8 * len(good)  # a list of names is wrong almost everywhere
