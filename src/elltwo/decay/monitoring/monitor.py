"""Monitor: watch what weight decay does in a training run, measured beside predicted, for a few percent of a step."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from elltwo.decay.forms.law import settle_closure, unwrapped
from elltwo.decay.monitoring.findings import log_findings, opened_gap
from elltwo.decay.monitoring.indexing import Index
from elltwo.decay.monitoring.logfile import LogFile, TensorBoard
from elltwo.decay.monitoring.measuring import StepMeter, turns_for
from elltwo.decay.monitoring.reading import group_records, tensor_records
from elltwo.decay.monitoring.settings import StepSettings, describe, settings_of
from elltwo.decay.monitoring.spectral import SpectralMeter, effective_rank, radial_tangential, sharpness
from elltwo.errors import ChoiceWarning, InputError, UsageError
from elltwo.facts.decaylog import VERSION, DecayLog
from elltwo.facts.decayplan import DecayPlan
from elltwo.facts.finding import Finding
from elltwo.facts.symmetry import Symmetries
from elltwo.laws.decay_balance import balance_residual, preconditioned_residual
from elltwo.laws.decay_readings import StepSums

__all__ = ["Monitor"]


@dataclass(frozen=True)
class _Sample:
    """What was measured on the device at one step and not read yet."""

    step: int
    settings: StepSettings
    sums: torch.Tensor
    spectra: torch.Tensor | None
    weighted: dict[str, torch.Tensor]


class Monitor:
    """Watches an optimizer by its step hooks; the training loop is unchanged.

    Parameters
    ----------
    model : torch.nn.Module
        The model, bare or wrapped.
    optimizer : torch.optim.Optimizer
        The optimizer (or a wrapper with one as ``.optimizer``).
    plan : DecayPlan, optional
        Says which tensors are proven scale-invariant: only those have a predicted rotation.
    every : int
        Measure one step in so many. At 50 the cost is a few percent of a fused AdamW step.
    path : path, optional
        JSONL file to write; with ``resume=True`` an existing one is continued.
    tensorboard : path or SummaryWriter, optional
    symmetries : Symmetries, optional
        From ``symmetries(model, batch)``: their balance residuals are logged with the spectra.
    spectra_every : int
        Spectral norms, stable ranks and balance once in so many samples; 0 for never.
    read_every : int
        Results stay on the device for so many samples, and are read in one transfer.
    turns : int, optional
        What one step did to a tensor (rotation, share of decay) is measured on every ``turns``-th sample of it;
        norms on every sample. Left out: 1, and up to 4 for models of more than four million watched entries.

    Notes
    -----
    Keeps a copy of the watched weights, or of one turn's part of them, written on sampled steps only.

    Raises
    ------
    InputError, UsageError
        If nothing can be watched, or an option cannot be used; the model and optimizer are untouched.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any,
        plan: DecayPlan | None = None,
        every: int = 50,
        *,
        path: str | os.PathLike[str] | None = None,
        tensorboard: Any = None,
        resume: bool = False,
        symmetries: Symmetries | None = None,
        spectra_every: int = 10,
        read_every: int = 10,
        turns: int | None = None,
    ) -> None:
        _whole("every", every, 1)
        _whole("spectra_every", spectra_every, 0)
        _whole("read_every", read_every, 1)
        _whole("turns", 1 if turns is None else turns, 1)
        self.optimizer, self.every = unwrapped(optimizer), every
        self._spectra_every, self._read_every = spectra_every, read_every
        self._index = Index(model, self.optimizer, plan, symmetries)
        watched = self._index.tensors
        turns = turns_for(watched) if turns is None else turns
        self._meter = StepMeter(watched, turns)
        self._spectra = SpectralMeter(self._index.matrices)
        self._symmetries = self._index.symmetries
        header: dict[str, Any] = {"elltwo_decay_log": VERSION, "every": every, "turns": turns}
        header |= {"optimizer": describe(self.optimizer)}
        header |= {"tensors": self._index.header(), "weight_decay": self._index.decays()}
        self._file = LogFile(path, header, resume=resume) if path is not None else None
        # With a file, only scalars stay in memory (the gap is read off them); without one, everything does.
        self._log = _scalars_of(self._file.load()) if self._file else DecayLog(header)
        self.step = self._file.load().last_step + 1 if self._file else 0
        self._board = TensorBoard(tensorboard, self.step or None) if tensorboard is not None else None
        self._pending: list[_Sample] = []
        self._scalars: dict[str, float] = {}
        self._samples, self._sampling, self._warned = 0, False, False
        self._handles = [
            self.optimizer.register_step_pre_hook(self._pre),
            self.optimizer.register_step_post_hook(self._post),
        ]

    # -- the two hooks ------------------------------------------------------------------------------------

    def _pre(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        self._sampling = self.step % self.every == 0
        if not self._sampling:
            return None
        settled = settle_closure(args, kwargs)
        self._meter.before(self._samples)
        return settled

    def _post(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._sampling:
            sums = self._meter.after()
            if sums is not None:
                heavy = self._spectra_every > 0 and self._samples % self._spectra_every == 0
                settings = settings_of(self.optimizer, self._index.groups)
                spectra = self._spectra.spectral_norms() if heavy else None
                weighted = self._index.preconditioned() if heavy else {}
                self._pending.append(_Sample(self.step, settings, sums, spectra, weighted))
                self._samples += 1
            if len(self._pending) >= self._read_every:
                self.read()
        self.step += 1

    # -- what a person adds -------------------------------------------------------------------------------

    def log(self, **scalars: float) -> None:
        """Record numbers of the training loop: ``train_loss=``, ``val_loss=`` or anything else.

        When ``val_loss`` has turned upward while ``train_loss`` still falls, a ChoiceWarning says so, once.
        """
        self.read()
        self._write({"step": max(self.step - 1, 0), "scalars": {k: float(v) for k, v in scalars.items()}})
        gap = None if self._warned or "val_loss" not in scalars else opened_gap(self._log)
        if gap is not None:
            self._warned = True
            warnings.warn(f"{gap.sentence} {gap.remedy}", ChoiceWarning, stacklevel=2)

    def sharpness(self, loss: Callable[[], torch.Tensor], iterations: int = 30) -> float:
        """λ_max(H) + λ on request: the top eigenvalue of the Hessian plus the decay of coupled L2, recorded."""
        coupled = not describe(self.optimizer)["decoupled"]
        lambdas = [float(self.optimizer.param_groups[g].get("weight_decay", 0.0)) for g in self._index.groups]
        top = sharpness(
            loss, self._index.tensors, weight_decays=lambdas if coupled else None, iterations=iterations
        )
        self._write({"step": max(self.step - 1, 0), "scalars": {"sharpness": top}})
        return top

    def effective_ranks(self) -> dict[str, float]:
        """exp(entropy of the singular values) per matrix, by full SVDs, recorded as scalars."""
        ranks = {n: effective_rank(t) for n, t in self._index.matrices.items()}
        self._write(
            {"step": max(self.step - 1, 0), "scalars": {f"effective_rank/{n}": r for n, r in ranks.items()}}
        )
        return ranks

    def watch_embedding(self, embedding: torch.Tensor, name: str = "embedding") -> None:
        """On sampled steps, record how the loss's gradient at an embedding splits into radial and tangential parts.

        Call it in the forward pass; for a loss of normalized embeddings (InfoNCE) the radial part is zero.
        """
        if self.step % self.every == 0 and embedding.requires_grad:

            def split(gradient: torch.Tensor) -> None:
                radial, tangential = radial_tangential(embedding, gradient)
                self._scalars |= {f"{name}/radial": radial, f"{name}/tangential": tangential}

            embedding.register_hook(split)

    # -- reading and writing ------------------------------------------------------------------------------

    def read(self) -> None:
        """Fetch what lies on the device, derive the records, write them."""
        pending, self._pending = self._pending, []
        for sample in pending:
            self._write(self._record(sample))

    def _record(self, sample: _Sample) -> dict[str, Any]:
        sums = StepSums(*sample.sums.double().cpu().numpy())
        names, groups = self._index.names, self._index.labels
        tensors = tensor_records(names, self._index.invariant, sums, sample.settings)
        record: dict[str, Any] = {
            "step": sample.step,
            "groups": group_records(groups, tensors, sample.settings),
        }
        if sample.spectra is not None:
            sigmas = dict(zip(self._spectra.matrices, sample.spectra.tolist(), strict=True))
            for name, sigma in sigmas.items():
                rank = tensors[name]["norm"] ** 2 / sigma**2 if sigma > 0 else None
                tensors[name] |= {"spectral_norm": sigma, "stable_rank": rank}
            if sigmas:
                record["lipschitz_log10"] = self._spectra.log10_bound(sigmas)
            record["balance"] = self._balance(sums, sample)
        if self._scalars:
            record["scalars"], self._scalars = self._scalars, {}
        return {**record, "tensors": tensors}

    def _balance(self, sums: StepSums, sample: _Sample) -> dict[str, float]:
        out = {}
        at = {n: i for i, n in enumerate(self._index.names)}
        for symmetry in self._symmetries:
            rows = [at[n] for n in symmetry.names]
            exponents = [s for _, s in symmetry.exponents]
            decays = sample.settings.weight_decay[rows]
            if all(n in sample.weighted for n in symmetry.names):
                values = np.array([float(sample.weighted[n]) for n in symmetry.names])
                out[str(symmetry)] = preconditioned_residual(exponents, decays, values)
            else:
                out[str(symmetry)] = balance_residual(exponents, decays, sums.weight[rows])
        return out

    def _write(self, record: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.append(record)
        if self._file is None or "scalars" in record:
            light = record if self._file is None else {k: record[k] for k in ("step", "scalars")}
            self._log = DecayLog(self._log.header, (*self._log.records, light))
        if self._board is not None:
            self._board.write(record)

    @property
    def records(self) -> DecayLog:
        """Everything measured so far."""
        self.read()
        return self._file.load() if self._file else self._log

    def findings(self) -> tuple[Finding, ...]:
        """What the run shows that a person should know."""
        return log_findings(self.records)

    def close(self) -> tuple[Finding, ...]:
        """Detach the hooks, write what is left, return the findings."""
        for handle in self._handles:
            handle.remove()
        self.read()
        if self._board is not None:
            self._board.close()
        return self.findings()

    def state_dict(self) -> dict[str, Any]:
        """Where the run is: save it with the checkpoint."""
        self.read()
        return {"step": self.step, "samples": self._samples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint; records written after it are dropped from the file."""
        try:
            self.step, self._samples = int(state["step"]), int(state["samples"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("this is not a monitor's state: it has no step and samples") from error
        self._pending = []
        self._log = self._log.until(self.step - 1)
        if self._file is not None:
            self._file.cut(self.step - 1)


def _scalars_of(log: DecayLog) -> DecayLog:
    return DecayLog(log.header, tuple({k: r[k] for k in ("step", "scalars")} for r in log if "scalars" in r))


def _whole(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, got {value!r}")
