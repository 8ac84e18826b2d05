"""Commands whose work is done in other rooms: they are reached, and say their results and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from .running import DATA, run

TRAIN = """
import torch
def build():
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 1))
    return model, torch.randn(3, 4), torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
def careful():
    model = torch.nn.Linear(4, 2, bias=False)
    return model, torch.randn(3, 4), torch.optim.SGD(model.parameters(), lr=1e-3)
"""


def test_a_recipe_is_carried(capsys):
    words = [
        "recipe",
        "--lr",
        "3e-4",
        "--weight-decay",
        "0.1",
        "--batch",
        "512",
        "--samples",
        "1e6",
        "--epochs",
        "90",
    ]
    ran = run(capsys, *words, "--to-epochs", "45", "--json")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["recipe"]["settings"]["weight_decay"] == 0.1
    assert said["carried"]["settings"]["epochs"] == 45
    ran = run(capsys, "recipe", "--lr", "3e-4")
    assert ran.code == 2
    assert "weight_decay" in ran.err
    assert run(capsys, "recipe", "--published", "list").code == 0


def test_a_network_is_planned_and_audited(capsys, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "train.py").write_text(TRAIN)
    ran = run(capsys, "plan", f"{tmp_path}/train.py:build")
    assert ran.code == 0, ran.err
    assert "bias" in ran.out
    assert json.loads(run(capsys, "plan", f"{tmp_path}/train.py:build", "--json").out)
    ran = run(capsys, "audit", f"{tmp_path}/train.py:build")
    assert ran.code == 1
    assert "bias" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    ran = run(capsys, "audit", f"{tmp_path}/train.py:nothing")
    assert ran.code in (2, 3)
    assert "nothing" in ran.err
    ran = run(capsys, "plan", "nowhere.py:build")
    assert ran.code == 3


def test_shards_of_a_table_merge_into_the_whole(capsys, tmp_path):
    text = (DATA / "diabetes.csv").read_text().splitlines()
    for i, part in enumerate((text[1:200], text[200:])):
        (tmp_path / f"part-{i}.csv").write_text("\n".join([text[0], *part]) + "\n")
    names = []
    for shard in ("1/2", "2/2"):
        names.append(tmp_path / f"{shard[0]}.moments")
        ran = run(
            capsys, "stats", f"{tmp_path}/part-*.csv", "-t", "target", "--shard", shard, "-o", names[-1]
        )
        assert ran.code == 0, ran.err
    ran = run(capsys, "fit", names[0], "-t", "target")
    assert ran.code == 3, "half of the data is no table"
    ran = run(capsys, "merge", *names, "-o", tmp_path / "all.moments")
    assert ran.code == 0, ran.err
    whole = json.loads(run(capsys, "fit", tmp_path / "all.moments", "--alpha", "7", "--json").out)
    rows = json.loads(run(capsys, "fit", DATA / "diabetes.csv", "-t", "target", "--alpha", "7", "--json").out)
    a, b = (np.array([row[1] for row in d["outputs"][0]["coefficients"]]) for d in (whole, rows))
    np.testing.assert_allclose(a, b, rtol=1e-9)
    ran = run(capsys, "merge", names[0], names[0], "-o", tmp_path / "twice.moments")
    assert ran.code == 3
    assert not (tmp_path / "twice.moments").exists()


def test_a_blurred_picture_is_restored(capsys, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    sharp = np.kron(rng.integers(40, 215, size=(6, 6)), np.ones((8, 8)))
    blurred = np.clip(gaussian_filter(sharp, 1.5, mode="reflect") + rng.normal(size=sharp.shape), 0, 255)
    Image.fromarray(blurred.astype(np.uint8)).save(tmp_path / "photo.png")
    ran = run(
        capsys,
        "deblur",
        tmp_path / "photo.png",
        "--psf",
        "gaussian:1.5",
        "-o",
        tmp_path / "sharp.png",
        "--json",
    )
    assert ran.code == 0, ran.err
    with Image.open(tmp_path / "sharp.png") as picture:
        restored = np.asarray(picture, dtype=float)
    assert np.mean((restored - sharp) ** 2) < 0.7 * np.mean((blurred - sharp) ** 2)
    assert json.loads(ran.out)["out"].endswith("sharp.png")
    ran = run(capsys, "deblur", tmp_path / "photo.png", "--psf", "fog:3")
    assert ran.code == 3
    assert "gaussian" in ran.err
