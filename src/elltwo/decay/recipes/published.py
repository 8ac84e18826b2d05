"""Recipes with their published settings, ready to be asked or carried elsewhere."""

from __future__ import annotations

from elltwo.decay.recipes.recipe import Recipe
from elltwo.errors import unknown_option

__all__ = ["PUBLISHED", "published_recipe"]

_IMAGENET = 1_281_167

PUBLISHED: dict[str, Recipe] = {
    "nanogpt-gpt2-124m": Recipe(
        optimizer="adamw",
        lr=6e-4,
        weight_decay=0.1,
        batch=12 * 40 * 1024,
        samples=9_035_582_198,
        epochs=600_000 * 12 * 40 * 1024 / 9_035_582_198,
        schedule="cosine",
        warmup=2000,
        final=0.1,
        source="karpathy/nanoGPT, config/train_gpt2.py and data/openwebtext/prepare.py (samples are tokens)",
    ),
    "timm-resnet50": Recipe(
        optimizer="sgd",
        momentum=0.9,
        lr=0.05,
        weight_decay=2e-5,
        batch=2 * 64,
        samples=_IMAGENET,
        epochs=200,
        schedule="cosine",
        source="timm, training examples, 'ResNet50 with JSD loss and RandAugment' (79.04 top-1); "
        "weight_decay is train.py's default",
    ),
    "goyal-resnet50": Recipe(
        optimizer="sgd",
        momentum=0.9,
        lr=3.2,
        weight_decay=1e-4,
        batch=8192,
        samples=_IMAGENET,
        epochs=90,
        schedule="step",
        warmup=782,
        source="Goyal et al., arXiv:1706.02677 (ResNet-50 in one hour)",
    ),
    "deit-base": Recipe(
        optimizer="adamw",
        lr=1e-3,
        weight_decay=0.05,
        batch=1024,
        samples=_IMAGENET,
        epochs=300,
        schedule="cosine",
        warmup=6256,
        final=0.01,
        source="Touvron et al., arXiv:2012.12877, table of hyper-parameters (ViT-B/16 on ImageNet-1k)",
    ),
}


def published_recipe(name: str) -> Recipe:
    """A published recipe by name; UsageError lists the names if it is unknown."""
    if name not in PUBLISHED:
        raise unknown_option("published recipe", name, PUBLISHED)
    return PUBLISHED[name]
