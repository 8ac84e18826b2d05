"""``--solver qr``: spectra from the triangles of rows, for strengths too small for a Gram matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elltwo.errors import UsageError
from elltwo.factoring.centre import Centred, spread
from elltwo.factoring.standard_form import standard_form
from elltwo.factoring.svd import svd_of
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.spectrum import Origin
from elltwo.scale.fits.folding import Folding
from elltwo.shrinking.path import coefficients
from elltwo.tables.moments.design import DesignMap, design_map
from elltwo.tables.moments.transform import assemble
from elltwo.tables.moments.triangles import PseudoRows, Triangles, pseudo_rows


def triangle_rotated(triangles: Triangles, folding: Folding, design: DesignMap) -> Rotated:
    """Spectrum and rotated targets of all rows from their triangles; ``design`` is what all rows ask for."""
    m, targets = folding.m, folding.targets
    keep = np.ones(len(design.features), dtype=bool)
    rows = pseudo_rows(triangles, range(m.folds), design, targets, keep)
    reason = (
        f"triangles of {m.count:,} rows were asked for: the Gram matrix would square the condition number"
    )
    rotated = _factor(rows, m.count, folding, Origin("triangles", reason, squared=False))
    free = rotated.spectrum.free
    shift = (
        np.concatenate([design.shift, m.shift[list(targets)]])
        if folding.intercept
        else np.zeros(keep.size + len(targets))
    )
    spectrum = replace(rotated.spectrum, free=replace(free, mean=free.mean + shift[: keep.size]))
    return replace(rotated, spectrum=spectrum, mean=rotated.mean + shift[keep.size :])


def _factor(rows: PseudoRows, count: int, folding: Folding, origin: Origin) -> Rotated:
    """Factor pseudo-rows; the constant's image is projected out as a centring would."""
    penalty = folding.penalty
    if penalty.x0 is not None:
        raise UsageError("a prior mean is not offered with --solver qr: use the Gram matrix")
    if not folding.intercept:
        raise UsageError("--solver qr works relative to a shift and needs the intercept: use the Gram matrix")
    unit = rows.one / np.sqrt(rows.weight)
    mean, mean_b = unit @ rows.A / np.sqrt(rows.weight), unit @ rows.b / np.sqrt(rows.weight)
    A, b = rows.A - np.outer(rows.one, mean), rows.b - np.outer(rows.one, mean_b)
    centred = Centred(A, b, mean, mean_b, None, rows.weight)
    sd = spread(np.einsum("ij,ij->j", A, A), rows.weight, mean) if penalty.standardize else None
    form = standard_form(penalty, A.shape[1], sd)
    rotated = svd_of(centred, form, Problem(A, b, None, True, penalty), origin)
    spectrum = replace(rotated.spectrum, rows=None, shape=(count, A.shape[1]), weight=rows.weight, root=None)
    return replace(rotated, spectrum=spectrum, b=None)


def triangle_folds(triangles: Triangles, folding: Folding) -> list[Fold]:
    """Every training fold from the triangles of the others, held-out rows as the fold's own triangle."""
    m, targets = folding.m, folding.targets
    origin = Origin("triangles", "training rows of one fold", squared=False)
    out = []
    for k in range(m.folds):
        others = [j for j in range(m.folds) if j != k]
        design = design_map(m, assemble(m, others), folding.recipe, folding.sources)
        keep = design.live
        train = pseudo_rows(triangles, others, design, targets, keep)
        held = pseudo_rows(triangles, [k], design, targets, keep)
        r = _factor(train, int(m.rows[others].sum()), folding, origin)
        offset = coefficients(r, np.zeros_like(r.z))
        V = r.spectrum.map.toarray()
        A = held.A - np.outer(held.one, r.spectrum.free.mean)
        y = held.b - np.outer(held.one, r.mean) - A @ offset
        out.append(Fold(r.spectrum.s, V, r.z, offset, held.weight, int(m.rows[k]), design=A @ V, y=y))
    return out
