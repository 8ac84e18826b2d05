"""The monitor as a Lightning callback and as a Hugging Face Trainer callback; each is imported when asked for."""

from __future__ import annotations

from typing import Any

from elltwo.decay.monitoring.monitor import Monitor
from elltwo.errors import UsageError, missing_extra

__all__ = ["huggingface_callback", "lightning_callback"]


def lightning_callback(plan: Any = None, **options: Any) -> Any:
    """A Lightning ``Callback`` that runs a :class:`Monitor` from fit start to fit end.

    Logged ``train_loss`` and ``val_loss`` (or ``loss``/``val_loss`` in ``callback_metrics``) go to the gap
    warning; the monitor's state is saved in Lightning's checkpoints. ``callback.monitor`` is the monitor,
    ``callback.findings`` what it found.

    Parameters
    ----------
    plan : DecayPlan, optional
    options : keywords of :class:`Monitor`.

    Raises
    ------
    MissingExtra
        If Lightning is not installed.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        try:
            from pytorch_lightning import Callback  # type: ignore[assignment]  # the older name of the same class
        except ImportError as error:
            raise missing_extra("lightning", "torch", "the Lightning callback") from error
    return type("MonitorCallback", (_LightningMonitor, Callback), {})(plan, options)


class _LightningMonitor:
    def __init__(self, plan: Any, options: dict[str, Any]) -> None:
        super().__init__()
        self._plan, self._options = plan, options
        self._state: dict[str, Any] | None = None
        self.monitor: Monitor | None = None
        self.findings: tuple[Any, ...] = ()

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        if len(trainer.optimizers) != 1:
            raise UsageError(
                f"the monitor watches one optimizer, and this module has {len(trainer.optimizers)}: "
                "use Monitor(model, optimizer) in the module for the one you want"
            )
        self.monitor = Monitor(module, trainer.optimizers[0], self._plan, **self._options)
        if self._state is not None:
            self.monitor.load_state_dict(self._state)

    def on_train_batch_end(self, trainer: Any, module: Any, *rest: Any) -> None:
        if (
            self.monitor is not None
            and trainer.global_step
            and trainer.global_step % trainer.log_every_n_steps == 0
        ):
            self._log(trainer, ("train_loss", "loss"), "train_loss")

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        if self.monitor is not None and not trainer.sanity_checking:
            self._log(trainer, ("train_loss", "loss"), "train_loss")
            self._log(trainer, ("val_loss", "validation_loss"), "val_loss")

    def _log(self, trainer: Any, names: tuple[str, ...], key: str) -> None:
        found = [trainer.callback_metrics[n] for n in names if n in trainer.callback_metrics]
        if found and self.monitor is not None:
            self.monitor.log(**{key: float(found[0])})

    def on_fit_end(self, trainer: Any, module: Any) -> None:
        self._finish()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        self._finish()

    def _finish(self) -> None:
        if self.monitor is not None:
            self.findings = self.monitor.close()

    def state_dict(self) -> dict[str, Any]:
        return {} if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._state = state or None


def huggingface_callback(plan: Any = None, **options: Any) -> Any:
    """A ``transformers.TrainerCallback`` that runs a :class:`Monitor` during ``Trainer.train``.

    ``loss`` and ``eval_loss`` go to the gap warning. When the Trainer resumes from a checkpoint, the monitor
    continues at its global step. ``callback.monitor`` and ``callback.findings`` as for Lightning.

    Raises
    ------
    MissingExtra
        If transformers is not installed.
    """
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise missing_extra("transformers", "torch", "the Hugging Face callback") from error
    return type("MonitorCallback", (_TrainerMonitor, TrainerCallback), {})(plan, options)


class _TrainerMonitor:
    def __init__(self, plan: Any, options: dict[str, Any]) -> None:
        self._plan, self._options = plan, options
        self.monitor: Monitor | None = None
        self.findings: tuple[Any, ...] = ()

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        options = dict(self._options)
        if state.global_step and "path" in options:
            options["resume"] = True
        self.monitor = Monitor(given["model"], given["optimizer"], self._plan, **options)
        if state.global_step:
            every = self.monitor.every
            self.monitor.load_state_dict(
                {"step": state.global_step, "samples": -(-state.global_step // every)}
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **given: Any) -> None:
        known = {"loss": "train_loss", "eval_loss": "val_loss"}
        scalars = {known[k]: float(v) for k, v in (logs or {}).items() if k in known}
        if scalars and self.monitor is not None:
            self.monitor.log(**scalars)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self.monitor is not None:
            self.findings = self.monitor.close()
