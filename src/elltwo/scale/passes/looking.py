"""What needs rows, in a second pass over a stream: leave-one-out at every λ, leverages, a sample of residuals.

The first pass left eigenvectors; a row's place in them is U = √w (u − ū) T V / s, block by block. From there on
everything is what it is in memory (`selecting.loo`), and what is kept does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elltwo.errors import UsageError
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import DenseRows
from elltwo.scale.jobs.arithmetic import BLOCK_BYTES
from elltwo.scale.jobs.job import Job, refuse_changed
from elltwo.scale.jobs.leaves import Leaf
from elltwo.scale.jobs.threads import one_thread
from elltwo.scale.passes.passing import beside, fold_numbers
from elltwo.selecting.loo import LooSums, compress, leverages, loo_factors, loo_residuals, loo_sums
from elltwo.tables.columns.batches import Batch, Batcher
from elltwo.tables.folds import splitmix64
from elltwo.tables.moments.design import DesignMap
from elltwo.tables.moments.levels import Levels
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.transform import assemble
from elltwo.tables.moments.triangles import places
from elltwo.tables.read import iter_batches

SAMPLE = 5_000  # rows that residual plots are drawn from
STRONGEST = 50  # rows of the largest leverages, and of the largest errors, that are kept beside them
SAMPLE_BYTES = 64 * 2**20
FEWEST = 256  # rows of a block, where categories have so many levels that BLOCK_BYTES allow no more


@dataclass(frozen=True)
class RowMap:
    """From stored columns of a row to its place in the spectrum.

    Attributes
    ----------
    rotated : the fit without rows. shift (d,), flagged, levels : the layout of the first pass.
    dense : (D, w) what each dense column adds to [U Q]; slots : the same per level of each category.
    centre : (w,) what is subtracted. targets : (t,) positions among the numbers; mean : (t,) of y − c.
    """

    rotated: Rotated
    shift: np.ndarray
    flagged: tuple[int, ...]
    levels: tuple[Levels, ...]
    dense: np.ndarray
    slots: tuple[np.ndarray, ...]
    centre: np.ndarray
    targets: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(
        cls,
        m: MixedMoments,
        design: DesignMap,
        rotated: Rotated,
        targets: Sequence[int],
        without: int | None = None,
    ) -> RowMap:
        """From the moments of the first pass and the fit that was made of them, or of all folds but one.

        Raises
        ------
        UsageError
            A penalty with a prior mean.
        """
        spectrum, t = rotated.spectrum, np.asarray(targets, dtype=np.intp)
        if spectrum.x0 is not None:
            raise UsageError("a second pass knows no prior mean: leave x0 out, or fit in memory")
        V = np.hstack([spectrum.map.toarray() / spectrum.s, spectrum.free.T])
        W, mean = np.asarray(design.T @ V), np.zeros(m.starts[-1])
        centre, mean_y = -(design.shift @ V), -m.shift[t]
        if spectrum.free.intercept:  # relative to the shift, so that nothing is lost at means of 1e8
            mean = assemble(m, [k for k in range(m.folds) if k != without])[0]
            mean = mean / mean[0]
            centre, mean_y = mean @ W, mean[1 + t]
        ends = list(zip(m.starts, m.starts[1:], strict=False))
        slots = tuple(W[a:b] for a, b in ends)
        return cls(rotated, m.shift, m.flagged, m.levels, W[: m.dense_width], slots, centre, t, mean_y)

    def rows(self, batch: Batch, job: Job, keep: np.ndarray) -> tuple[np.ndarray, Rotated]:
        """Numbers (n,) of the rows ``keep``, which have every target, and the fit with these rows alone."""
        x = np.hstack([batch.numbers, beside(batch, job)])[keep] - self.shift
        missing = np.isnan(x)
        x[missing] = 0.0
        UQ = x @ self.dense[1 : 1 + x.shape[1]]
        UQ += self.dense[0] - self.centre
        if self.flagged:
            UQ += missing[:, list(self.flagged)] @ self.dense[1 + x.shape[1] :]
        for c, (level, table) in enumerate(zip(self.levels, self.slots, strict=True)):
            UQ += table[places(level, batch.books[c].levels)[batch.codes[keep, c]]]
        b = x[:, self.targets] - self.mean
        root = None if batch.weights is None else np.sqrt(batch.weights[keep])
        if root is not None:
            UQ, b = UQ * root[:, None], b * root[:, None]
        return batch.first_row + keep, self.fit_of(UQ, b, root)

    def fit_of(self, UQ: np.ndarray, b: np.ndarray, root: np.ndarray | None) -> Rotated:
        """The fit with some rows: shape, weight and everything else are those of all rows."""
        k = self.rotated.spectrum.s.size
        spectrum = replace(self.rotated.spectrum, rows=DenseRows(UQ[:, :k], UQ[:, k:]), root=root)
        return replace(self.rotated, spectrum=spectrum, b=b)


@dataclass(frozen=True)
class KeptRows:
    """Rows that outlive the pass: a uniform sample, the largest leverages, the largest errors.

    Attributes
    ----------
    number : (m,) in the whole table, from 0. UQ : (m, w); b : (m, t); root : (m,), ones without weights.
    draw : (m,) hash of the number, the smallest ``most`` are the sample. pull : (m,) leverage; error : (m,) size of
        the leave-one-out residual, both at the λ that was thought likely.
    """

    number: np.ndarray
    UQ: np.ndarray
    b: np.ndarray
    root: np.ndarray
    draw: np.ndarray
    pull: np.ndarray
    error: np.ndarray
    most: int

    @property
    def sampled(self) -> np.ndarray:
        """(m,) whether a row belongs to the sample."""
        out = np.zeros(self.draw.size, dtype=bool)
        out[np.argsort(self.draw)[: self.most]] = True
        return out

    @property
    def tops(self) -> np.ndarray:
        """Positions of the largest leverages and errors."""
        return np.concatenate([np.lexsort((self.number, -v))[:STRONGEST] for v in (self.pull, self.error)])

    def best(self) -> KeptRows:
        """Those that may still be wanted, by number; the same rows whatever the order in which they came."""
        chosen = np.unique(np.concatenate([np.flatnonzero(self.sampled), self.tops]))
        return self.picked(chosen[np.argsort(self.number[chosen])])

    def beside(self, kept: KeptRows) -> KeptRows:
        """Those that may displace one of the rows kept so far."""
        full = kept.draw.size >= kept.most
        drawn = self.draw < np.partition(kept.draw, kept.most - 1)[kept.most - 1] if full else self.draw >= 0
        return self.picked(np.unique(np.concatenate([np.flatnonzero(drawn), self.tops])))

    def picked(self, rows: np.ndarray) -> KeptRows:
        """Some of them."""
        arrays: dict[str, Any] = {name: getattr(self, name)[rows] for name in ARRAYS}
        return replace(self, **arrays)


ARRAYS = ("number", "UQ", "b", "root", "draw", "pull", "error")


@dataclass(frozen=True)
class Look:
    """What a second pass is for.

    Attributes
    ----------
    map : from rows to the spectrum. alphas : (L,) λ whose leave-one-out errors are summed.
    near : (t,) λ at which leverages and errors are ranked. sample : rows to keep; 0 keeps none at all.
    without : a fold that takes no part, or None.
    """

    map: RowMap
    alphas: np.ndarray
    near: np.ndarray
    sample: int = SAMPLE
    without: int | None = None

    @property
    def most(self) -> int:
        """Rows of the sample that its bytes allow."""
        return min(self.sample, SAMPLE_BYTES // (8 * (self.map.centre.size + 8)))


@dataclass(frozen=True)
class Looked:
    """What a second pass found in some rows."""

    sums: LooSums
    kept: KeptRows | None


def leaf_looked(
    job: Job, leaf: Leaf, looks: tuple[Look, ...], seen: Callable[[int], None] | None = None
) -> tuple[Looked, ...]:
    """The second pass over one leaf, for several purposes at once: the function that every engine calls."""
    refuse_changed(job, leaf)
    takers = [_Taker(look) for look in looks]
    widest = max(look.map.centre.size for look in looks)
    rows = min(job.arithmetic.block_rows, max(FEWEST, BLOCK_BYTES // (8 * widest)))
    batches = iter_batches(job.source, job.plan, rows, only=leaf.parts, batcher=Batcher(job.plan))
    with one_thread():
        for batch in batches:
            present = ~np.isnan(batch.targets).any(axis=1)
            folds = fold_numbers(batch, job) if any(look.without is not None for look in looks) else None
            for taker in takers:
                out = taker.look.without
                keep = present if folds is None or out is None else present & (folds != out)
                taker.take(*taker.look.map.rows(batch, job, np.flatnonzero(keep)))
            if seen is not None:
                seen(batch.rows)
    return tuple(Looked(taker.sums, taker.kept) for taker in takers)


class _Taker:
    """What one look has gathered so far."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.F = loo_factors(look.map.rotated, look.alphas)
        self.basis, t = compress(self.F), look.map.targets.size
        self.sums = LooSums(np.zeros((look.alphas.size, t)), np.zeros((look.alphas.size, t)))
        self.kept: KeptRows | None = None

    def take(self, number: np.ndarray, fit: Rotated) -> None:
        """Rows with these numbers."""
        if self.look.alphas.size:
            self.sums = self.sums + loo_sums(fit, self.F, self.basis)
        if self.look.sample:
            fresh = _ranked(number, fit, self.look)
            several = [fresh] if self.kept is None else [self.kept, fresh.beside(self.kept)]
            self.kept = _joined(several).best()


def merge_looked(parts: Sequence[tuple[Looked, ...]]) -> tuple[Looked, ...]:
    """Of all rows, from left to right, purpose by purpose."""
    return tuple(_merged(alike) for alike in zip(*parts, strict=True))


def _merged(parts: Sequence[Looked]) -> Looked:
    sums = parts[0].sums
    for part in parts[1:]:
        sums = sums + part.sums
    kept = [part.kept for part in parts if part.kept is not None]
    return Looked(sums, _joined(kept).best() if kept else None)


def _ranked(number: np.ndarray, fit: Rotated, look: Look) -> KeptRows:
    """A batch's rows with what ranks them: a hash of the number, leverage, error."""
    rows, root = fit.spectrum.rows, fit.spectrum.root
    assert isinstance(rows, DenseRows)
    assert fit.b is not None
    errors = np.abs(loo_residuals(fit, look.near)).max(axis=1, initial=0.0)
    return KeptRows(
        number, np.hstack([rows.U, rows.Q]), fit.b, np.ones(number.size) if root is None else root,
        splitmix64(number.astype(np.uint64)), leverages(fit, float(look.near[0])), errors,
        look.most,
    )  # fmt: skip


def _joined(parts: Sequence[KeptRows]) -> KeptRows:
    if len(parts) == 1:
        return parts[0]
    arrays: dict[str, Any] = {n: np.concatenate([getattr(part, n) for part in parts]) for n in ARRAYS}
    return replace(parts[0], **arrays)
