"""All multiplicative symmetries of a network, from the null space of one small matrix.

If f(c^{s_1} w_1, ..., c^{s_k} w_k) = f(w) for all c > 0, then sum_i s_i <w_i, d<y, f>/dw_i> = 0 for every
output cotangent y. With more random y than tensors, the null space of A_ki = <w_i, g_ki> is spanned by the
exponents of all symmetries (Kunin et al. 2021, arXiv:2012.04728; Marcotte et al. 2023, arXiv:2307.00144).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from elltwo.decay.planning.plan import traced_roles
from elltwo.decay.proving.laboratory import Experiment
from elltwo.decay.proving.sketch import Sketch, joined, sketch
from elltwo.decay.seeing.calling import Forward, batch_from_model, named_tensors, unwrap
from elltwo.errors import InputError
from elltwo.facts.symmetry import Symmetries, Symmetry

ZERO = 1e-6  # relative size below which a singular value can only be rounding (float32 casts leave 2e-7)
CLEAR = 1e3  # a null space is believed only behind a gap as large as this
LARGEST_DENOMINATOR = 12
POINTS = 4  # at one point dead units leave directions in the null space that are no symmetries


@dataclass(frozen=True)
class Lab:
    """The sketches behind a set of symmetries, the experiment that made them, and each tensor's output axis."""

    experiment: Experiment
    tensors: Mapping[str, torch.Tensor]
    sketches: Mapping[str, Sketch]
    axes: Mapping[str, int]


def symmetries(
    model: nn.Module,
    batch: Any = None,
    *,
    forward: Forward | None = None,
    loss: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> Symmetries:
    """Every multiplicative symmetry among whole tensors, as integer exponents; the model is left as it was.

    Finds scale invariance, ReLU rescaling, value/output, query/key, gate/up/down, trunk/heads and the
    residual stream. The null space is cut at the largest gap of the spectrum. Costs four forward and
    about (number of tensors + 16) backward passes in float64: for models of up to a few hundred tensors.

    Raises
    ------
    InputError
        If the model cannot be run in float64 on this batch, or is on ``meta``.
    """
    return find(study(model, batch, forward, loss, seed))


def study(model: nn.Module, batch: Any, forward: Any, loss: Any, seed: int, columns: bool = False) -> Lab:
    """Run the backward passes."""
    core = unwrap(model)
    batch = batch if batch is not None else batch_from_model(core)
    tensors = named_tensors(core)
    if any(t.is_meta for t in tensors.values()):
        raise InputError("symmetries need real values: build the model (or a small copy) off the meta device")
    roles = traced_roles(core, tensors, batch, forward, loss)
    live = {n: t for n, t in tensors.items() if t.requires_grad and id(t) in roles}
    axes = {n: roles[id(t)].out_axis for n, t in live.items()}
    experiment = Experiment(core, batch, forward, loss, {i: r.role for i, r in roles.items()}, seed)
    count = (len(live) + 8) // POINTS + 2
    made: list[dict[str, Sketch]] = []
    try:
        for point in range(POINTS):
            with replace(experiment, seed=seed + 10 * point).prepared() as lab:
                outputs = lab.outputs()
                made.append(sketch(outputs, live, count=count, seed=lab.seed + 5, columns=columns, axes=axes))
    except RuntimeError as error:
        text = str(error).split("\n")[0][:160]
        raise InputError(f"the model cannot be differentiated in float64 on this batch: {text}") from error
    return Lab(experiment, live, joined(made), axes)


def find(lab: Lab) -> Symmetries:
    """Null space, exponents, residuals."""
    names = [n for n in lab.tensors if n in lab.sketches]
    columns = np.stack([lab.sketches[n].whole.double().cpu().numpy() for n in names], axis=1)
    terms = np.stack([lab.sketches[n].spread.double().cpu().numpy() ** 0.5 for n in names], axis=1)
    size = np.linalg.norm(columns, axis=0)
    typical = np.median([lab.sketches[n].size for n in names])
    dead = [i for i, n in enumerate(names) if lab.sketches[n].size <= 1e-9 * typical]
    alone = [i for i in range(len(names)) if i not in dead and size[i] <= ZERO * np.linalg.norm(terms[:, i])]
    rest = [i for i in range(len(names)) if i not in dead and i not in alone]
    matrix = columns[:, rest] / size[rest]
    null, spectrum, gap = _null_space(matrix)
    found = [Symmetry(((names[i], 1),), float(size[i] / np.linalg.norm(terms[:, i]))) for i in alone]
    exponents, odd = _integers(null / size[rest][:, None], columns[:, rest])
    for row in exponents:
        found.append(_symmetry(row, [names[i] for i in rest], columns[:, rest]))
    silent = [n for n in lab.tensors if n not in lab.sketches] + [names[i] for i in dead]
    return Symmetries(tuple(found), gap, tuple(float(s) for s in spectrum), tuple(silent), odd)


def _null_space(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Right null space (columns), the spectrum, and the gap that separates it."""
    if matrix.shape[1] == 0:
        return np.zeros((0, 0)), np.zeros(0), float("inf")
    _, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / s[0]
    floor = np.maximum(s, 1e-8)  # float32 casts inside a model leave 1e-7: below, no gap means anything
    ratios = np.where(floor[1:] < ZERO * 10, floor[:-1] / floor[1:], 0.0)
    cut = int(np.argmax(ratios)) + 1 if ratios.size and ratios.max() > CLEAR else len(s)
    gap = float(s[cut - 1] / max(s[cut], 1e-17)) if cut < len(s) else float("inf")
    return vt[cut:].T, s, gap


def _integers(null: np.ndarray, matrix: np.ndarray) -> tuple[list[np.ndarray], int]:
    """A sparse integer basis of the null space, and how many directions have none."""
    if null.shape[1] == 0:
        return [], 0
    basis = _reduced(null.T.copy())
    good, odd = [], 0
    for row in basis:
        for d in range(1, LARGEST_DENOMINATOR + 1):
            whole = np.rint(row * d)
            if np.abs(row * d - whole).max() < 1e-3:
                good.append(whole.astype(int))
                break
        else:
            odd += 1
    return _sparser(good), odd


def _reduced(rows: np.ndarray) -> np.ndarray:
    """Reduced row echelon form with full column pivoting by size."""
    used: list[int] = []
    for i in range(len(rows)):
        size = np.abs(rows[i:]).max(axis=0)
        size[used] = 0.0
        column = int(np.argmax(size / (1 + np.arange(len(size)) * 1e-9)))
        best = i + int(np.argmax(np.abs(rows[i:, column])))
        rows[[i, best]] = rows[[best, i]]
        rows[i] /= rows[i, column]
        others = [j for j in range(len(rows)) if j != i]
        rows[others] -= np.outer(rows[others, column], rows[i])
        used.append(column)
    return rows


def _sparser(rows: list[np.ndarray]) -> list[np.ndarray]:
    """Add and subtract rows from each other while that leaves fewer tensors in one."""
    improved = True
    while improved:
        improved = False
        for i in range(len(rows)):
            for j in range(len(rows)):
                for factor in (-2, -1, 1, 2):
                    if i != j and (new := rows[i] + factor * rows[j]).any() and _cost(new) < _cost(rows[i]):
                        rows[i], improved = new, True
    return [r // np.gcd.reduce(r) * (1 if r[np.flatnonzero(r)[0]] > 0 else -1) for r in rows]


def _cost(row: np.ndarray) -> tuple[int, int]:
    return int(np.count_nonzero(row)), int(np.abs(row).sum())


def _symmetry(row: np.ndarray, names: list[str], matrix: np.ndarray) -> Symmetry:
    top = np.abs(matrix @ row)
    bottom = np.abs(matrix) @ np.abs(row)
    held = tuple((n, int(s)) for n, s in zip(names, row, strict=True) if s)
    return Symmetry(held, float((top / np.maximum(bottom, 1e-300)).max()))
