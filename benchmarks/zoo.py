"""The scoreboard: what the rules in use decay and skip on real architectures, against roles read off the forward pass.

Architectures come from timm (``pretrained=False``), transformers (from configurations) and torchvision, all
built and traced on the ``meta`` device: no downloads, no arithmetic. The yardstick is the usual policy (decay
what multiplies its input; spare biases, norm parameters, gains, log-parameters, position and token tables).
Embeddings, and tables looked up like embeddings, are a matter of choice and count for nobody.

    python -m benchmarks.zoo --csv docs/reference/zoo.csv --figure docs/pictures/zoo.svg [--budget CPU_SECONDS]
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import Row, at_most

__all__ = ["architectures", "examine", "run"]

SPARED = frozenset(
    {"bias", "recurrent bias", "norm scale", "norm shift", "gain", "temperature", "log-parameter"}
    | {"weight-norm gain", "table"}
)


@dataclass(frozen=True)
class Architecture:
    """A name and how to build (model, batch) on meta."""

    zoo: str
    name: str
    build: Callable[[], tuple[Any, Any]]


def architectures(zoos: tuple[str, ...] = ("timm", "transformers", "torchvision")) -> Iterator[Architecture]:
    """Every architecture of the installed zoos, in a fixed order."""
    _torchvision_beside_cpu_torch()
    for zoo in zoos:
        with contextlib.suppress(ImportError):
            yield from {"timm": _timm, "transformers": _transformers, "torchvision": _torchvision}[zoo]()


def _torchvision_beside_cpu_torch() -> None:
    """Define two operators that a CUDA build of torchvision misses next to a CPU torch."""
    import torch

    with contextlib.suppress(RuntimeError):
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        globals()["_kept_library"] = library


def _timm() -> Iterator[Architecture]:
    import timm
    import torch

    def build(name: str) -> tuple[Any, Any]:
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
            size = model.default_cfg.get("input_size", (3, 224, 224))
            return model, torch.zeros(2, *size)

    modules = timm.list_modules()
    lists = [timm.list_models(module=m, pretrained=False) for m in modules]
    for place in range(max(map(len, lists))):  # first one of each module, then the second of each, ...
        for names in lists:
            if place < len(names):
                yield Architecture("timm", names[place], lambda n=names[place]: build(n))


def _torchvision() -> Iterator[Architecture]:
    import torch
    import torchvision

    def build(name: str) -> tuple[Any, Any]:
        options: dict[str, Any] = {"weights": None}
        if "segmentation" in name or name.startswith(("deeplab", "fcn", "lraspp")):
            options["weights_backbone"] = None
        with torch.device("meta"):
            model = torchvision.models.get_model(name, **options)
            video = name.startswith(("r3d", "mc3", "r2plus1d", "s3d", "mvit", "swin3d"))
            still = (2, 3, 299, 299) if "inception" in name else (2, 3, 224, 224)
            return model, torch.zeros(*((2, 3, 16, 224, 224) if video else still))

    for name in torchvision.models.list_models():
        detection = ("rcnn", "retinanet", "ssd", "fcos", "keypoint", "quantized", "raft", "regnet")
        if not any(d in name for d in detection):
            yield Architecture("torchvision", name, lambda n=name: build(n))


def _transformers() -> Iterator[Architecture]:
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    transformers.logging.set_verbosity_error()
    for kind in MODEL_MAPPING_NAMES:
        yield Architecture("transformers", kind, lambda k=kind: _from_config(k))


def _from_config(kind: str) -> tuple[Any, Any]:
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(kind)
    for depth in (
        "num_hidden_layers",
        "n_layer",
        "num_layers",
        "encoder_layers",
        "decoder_layers",
        "n_layers",
    ):
        if isinstance(getattr(config, depth, None), int) and getattr(config, depth) > 4:
            with contextlib.suppress(Exception):  # a configuration may refuse; then it keeps its depth
                setattr(config, depth, 4)
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config)
        return model, _text_or_pixels(model, config)


def _text_or_pixels(model: Any, config: Any) -> dict[str, Any]:
    import inspect

    import torch

    takes = inspect.signature(model.forward).parameters
    image = getattr(config, "image_size", None) or getattr(
        getattr(config, "vision_config", None), "image_size", 224
    )
    side = image if isinstance(image, (tuple, list)) else (image, image)
    ids = torch.zeros(2, 16, dtype=torch.long)
    batch: dict[str, Any] = {}
    if "input_ids" in takes:
        batch["input_ids"] = ids
    if "pixel_values" in takes and ("input_ids" not in takes or hasattr(config, "projection_dim")):
        batch["pixel_values"] = torch.zeros(2, getattr(config, "num_channels", 3) or 3, *side)
    if "input_values" in takes:
        batch["input_values"] = torch.zeros(2, 8000)
    if "input_features" in takes and "input_ids" not in takes:
        length = 2 * getattr(config, "max_source_positions", 100)
        batch["input_features"] = torch.zeros(2, getattr(config, "num_mel_bins", 80), length)
    if "decoder_input_ids" in takes:
        batch["decoder_input_ids"] = ids
    return batch


def examine(architecture: Architecture, quick: bool = True) -> dict[str, Any]:
    """One row of the scoreboard; ``error`` is set where the model cannot be built or run on meta."""
    from benchmarks.meta_shapes import QuickMeta
    from elltwo import decay_plan
    from elltwo.decay.planning.heuristics import RULES
    from elltwo.facts.decayplan import plain_name

    start = time.process_time()
    record: dict[str, Any] = {"zoo": architecture.zoo, "name": architecture.name, "error": ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with QuickMeta() if quick else contextlib.nullcontext():
                model, batch = architecture.build()
                plan = decay_plan(model, batch, probe=False)
    except Exception as error:  # whatever a foreign model raises on meta: recorded, not hidden
        text = re.sub(r" from '/.*", "", str(error.__cause__ or error).strip().split("\n")[0])[:120]
        return {**record, "error": text or type(error).__name__, "seconds": time.process_time() - start}
    seen = [r for r in plan if r.role != "unused"]
    spared = {r.name for r in seen if r.role in SPARED and r.op != "embedding"}
    weights = {r.name for r in seen if r.multiplicative}
    record |= {
        "tensors": len(plan),
        "exercised": len(seen),
        "unclassified": sum(r.role == "unclassified" for r in seen),
        "spared": len(spared),
        "weights": len(weights),
    }
    for rule, decays in RULES.items():
        names = {plain_name(n) for n in decays(model)}
        record[f"{rule} decays wrongly"] = len(spared & names)
        record[f"{rule} skips"] = len(weights - names)
    return {**record, "seconds": time.process_time() - start}


def scoreboard(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per rule: models with at least one mistake of each kind, and tensors."""
    from elltwo.decay.planning.heuristics import RULES

    good = [r for r in records if not r["error"]]
    return [
        {
            "rule": rule,
            "models": len(good),
            "models decaying wrongly": sum(r[f"{rule} decays wrongly"] > 0 for r in good),
            "tensors decayed wrongly": sum(r[f"{rule} decays wrongly"] for r in good),
            "models skipping": sum(r[f"{rule} skips"] > 0 for r in good),
            "tensors skipped": sum(r[f"{rule} skips"] for r in good),
            "models wrong": sum(r[f"{rule} decays wrongly"] + r[f"{rule} skips"] > 0 for r in good),
        }
        for rule in RULES
    ]


def run(count: int = 60, budget: float = 60.0) -> list[Row]:
    """A slice of the scoreboard: share of exercised tensors left unclassified, at most 1 %."""
    records = _examine_all(("timm",), count, budget)
    good = [r for r in records if not r["error"]]
    exercised = sum(r["exercised"] for r in good)
    unclassified = sum(r["unclassified"] for r in good)
    return [
        at_most(
            f"{len(good)} timm architectures on meta",
            "unclassified of exercised",
            unclassified,
            exercised,
            0.01,
        )
    ]


def _examine_all(
    zoos: tuple[str, ...],
    count: int | None,
    budget: float,
    known: dict[tuple[str, str], dict[str, Any]] | None = None,
    keep: Callable[[list[dict[str, Any]]], None] | None = None,
) -> list[dict[str, Any]]:
    start, records = time.process_time(), []
    for place, a in enumerate(architectures(zoos)):
        if (count is not None and place >= count) or time.process_time() - start > budget:
            break
        records.append((known or {}).get((a.zoo, a.name)) or examine(a))
        if keep and place % 25 == 24:
            keep(records)
    return records


def _read_csv(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    text = ("zoo", "name", "error")
    return {(r["zoo"], r["name"]): {k: v if k in text else float(v or 0) for k, v in r.items()} for r in rows}


def _write_csv(records: list[dict[str, Any]], path: Path | None) -> None:
    if path is None:
        return
    fields = max((list(r) for r in records), key=len)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields, restval="")
        writer.writeheader()
        for r in records:
            whole = {k: int(v) if isinstance(v, float) and k != "seconds" else v for k, v in r.items()}
            writer.writerow({**whole, "seconds": round(r["seconds"], 3)})
    temporary.replace(path)


LABELS = {
    "nanogpt": "ndim >= 2 (nanoGPT)",
    "timm": "timm",
    "hf": "HF Trainer",
    "bert": "BERT name list",
    "mingpt": "nn.Linear only (minGPT)",
    "torchvision": "torchvision default",
    "pytorch_optimizer": "pytorch_optimizer default",
}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """A bar per rule: models where it decays what should be spared, and models where it only skips weights."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = sorted(rows, key=lambda r: r["models wrong"])
    models = rows[0]["models"]
    names = [LABELS[r["rule"]] for r in rows]
    decays = [r["models decaying wrongly"] for r in rows]
    skips = [r["models wrong"] - r["models decaying wrongly"] for r in rows]
    figure, axes = plt.subplots(figsize=(7.6, 3.7), layout="constrained", facecolor="white")
    axes.barh(names, decays, color="#b3372f", label="decays a bias, gain, norm or table")
    last = axes.barh(names, skips, left=decays, color="#e0a458", label="only skips a weight that multiplies")
    shares = [f"{r['models wrong']:,}  ({100 * r['models wrong'] / models:.0f} %)" for r in rows]
    axes.bar_label(last, shares, padding=4)
    axes.set_xlim(0, models * 1.22)
    axes.set_xticks(range(0, models + 1, 250))
    axes.set_xlabel("architectures with at least one wrong tensor")
    figure.suptitle(
        f"Rules in use for weight decay, on {models:,} real architectures", x=0.01, ha="left", weight="bold"
    )
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=180)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> int:
    """Run the scoreboard, print it, and write the table and the figure."""
    parser = argparse.ArgumentParser(
        description="Which rule for weight decay is wrong on how many architectures."
    )
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--budget", type=float, default=800.0, help="CPU seconds for each zoo")
    parser.add_argument("--zoo", action="append", choices=("timm", "transformers", "torchvision"))
    parser.add_argument("--resume", action="store_true", help="keep what the table already has")
    chosen = parser.parse_args(arguments)
    records: list[dict[str, Any]] = []
    known = _read_csv(chosen.csv) if chosen.resume else {}
    for zoo in chosen.zoo or ("torchvision", "transformers", "timm"):
        before = list(records)
        part = _examine_all(
            (zoo,), None, chosen.budget, known, lambda part, done=before: _write_csv(done + part, chosen.csv)
        )
        done = sum(not r["error"] for r in part)
        print(
            f"{zoo}: {done} of {len(part)} traced, {sum(r['seconds'] for r in part):.0f} s", file=sys.stderr
        )
        records += part
        _write_csv(records, chosen.csv)
    good = [r for r in records if not r["error"]]
    rows = scoreboard(records)
    exercised, unknown = (int(sum(r[k] for r in good)) for k in ("exercised", "unclassified"))
    print(f"{len(good)} architectures, {exercised:,} exercised tensors, {unknown:,} unclassified")
    for row in rows:
        print(", ".join(f"{k} {v}" for k, v in row.items()))
    if chosen.figure:
        draw(rows, chosen.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
