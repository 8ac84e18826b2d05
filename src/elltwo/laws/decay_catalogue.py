"""What ``weight_decay`` means in each optimizer, and what one step without a gradient does to a weight.

``unit`` says how the number λ becomes the shrink of one step:

- ``"per-lr"``        w ← (1 − η_t λ) w
- ``"per-schedule"``  w ← (1 − λ η_t/η_peak) w: follows the schedule, not the size of the learning rate
- ``"per-step"``      w ← (1 − λ) w: follows nothing
- ``"lr-squared"``    w ← (1 − λ η_t²) w
- ``"gradient"``      λw is added to the gradient, which the optimizer then transforms
- ``"none"``          the optimizer has no weight decay
"""

from __future__ import annotations

from dataclasses import dataclass

from elltwo.errors import unknown_option

__all__ = ["CATALOGUE", "UNITS", "OptimizerRow", "find_optimizer"]

UNITS = ("per-lr", "per-schedule", "per-step", "lr-squared", "gradient", "none")


@dataclass(frozen=True)
class OptimizerRow:
    """One optimizer of one library: the meaning of its number, its defaults, and what theory covers it.

    ``default`` is None where it was not looked up.
    ``family`` is the one with a known equilibrium ("sgd", "adamw") or "" where none is established.
    ``momentum`` is the default momentum, or β₁. ``source`` is the file or page where the meaning was read.
    """

    name: str
    unit: str
    default: float | None
    family: str = ""
    momentum: float = 0.0
    aliases: tuple[str, ...] = ()
    source: str = ""
    note: str = ""

    @property
    def coupled(self) -> bool:
        """Whether λw passes through the optimizer's own transformation of the gradient."""
        return self.unit == "gradient"


def _torch(name: str, unit: str, default: float | None = 0.0, **rest: object) -> OptimizerRow:
    source = f"torch 2.13, torch/optim/{rest.pop('file', name.lower())}.py"
    return OptimizerRow(f"torch.{name}", unit, default, source=source, **rest)  # type: ignore[arg-type]  # keywords of the row


_ROWS = (
    _torch("SGD", "gradient", family="sgd", aliases=("sgd", "sgdm", "nesterov", "timm.sgd")),
    _torch(
        "AdamW",
        "per-lr",
        0.01,
        family="adamw",
        momentum=0.9,
        aliases=("adamw", "timm.adamw", "transformers.adamw", "nvidia.fusedadam"),
    ),
    _torch(
        "Adam", "gradient", momentum=0.9, aliases=("adam", "adam+l2"), note="adaptive: λw is normalised away"
    ),
    _torch("NAdam", "gradient", momentum=0.9, aliases=("nadam",), note="decoupled_weight_decay=True: per-lr"),
    _torch(
        "RAdam",
        "gradient",
        momentum=0.9,
        aliases=("radam",),
        note="decoupled_weight_decay=True: per-lr; the first steps are unnormalised, so they shrink like SGD",
    ),
    _torch("Adamax", "gradient", momentum=0.9, aliases=("adamax",)),
    _torch("Adagrad", "gradient", aliases=("adagrad",)),
    _torch("Adadelta", "gradient", aliases=("adadelta",)),
    _torch("RMSprop", "gradient", aliases=("rmsprop",)),
    _torch(
        "ASGD", "gradient", aliases=("asgd",), note="also shrinks by 1 − lambd·η (lambd = 1e-4 by default)"
    ),
    _torch(
        "Adafactor",
        "per-lr",
        0.0,
        file="_adafactor",
        aliases=("adafactor",),
        note="its page says 1e-2, its code 0",
    ),
    _torch(
        "Muon",
        "per-lr",
        0.1,
        file="_muon",
        momentum=0.95,
        aliases=("muon",),
        note="decay uses lr, not the adjusted one",
    ),
    _torch("Rprop", "none"),
    _torch("LBFGS", "none"),
    _torch("SparseAdam", "none", file="sparse_adam"),
    OptimizerRow(
        "optax.adamw",
        "per-lr",
        1e-4,
        "adamw",
        0.9,
        ("optax",),
        "optax/_src/alias.py, adamw: decay, then × −η",
    ),
    OptimizerRow(
        "optax.adam+add_decayed_weights",
        "gradient",
        0.0,
        "",
        0.9,
        ("optax.adam+l2",),
        "optax/_src/transform.py: add_decayed_weights before scale_by_adam is coupled L2, after it decoupled",
    ),
    OptimizerRow(
        "keras.AdamW",
        "per-lr",
        0.004,
        "adamw",
        0.9,
        ("keras",),
        "keras/src/optimizers/base_optimizer.py, _apply_weight_decay",
    ),
    OptimizerRow(
        "composer.DecoupledAdamW",
        "per-schedule",
        1e-5,
        "adamw",
        0.9,
        ("composer", "composer.adamw"),
        "composer/optim/decoupled_weight_decay.py: decay_factor = lr / initial_lr",
    ),
    OptimizerRow(
        "composer.DecoupledSGDW",
        "per-schedule",
        0.0,
        "sgd",
        0.0,
        ("composer.sgdw",),
        "composer/optim/decoupled_weight_decay.py: decay_factor = lr / initial_lr",
    ),
    OptimizerRow(
        "unit_scaling.AdamW",
        "per-schedule",
        None,
        "adamw",
        0.9,
        ("u-mup", "umup"),
        "unit_scaling/optim.py: independent_weight_decay=True divides λ by the peak lr",
    ),
    OptimizerRow(
        "tensorflow_addons.AdamW",
        "per-step",
        None,
        "adamw",
        0.9,
        ("tfa", "tfa.adamw"),
        "tensorflow/addons#2282: not multiplied by the learning rate",
    ),
    OptimizerRow(
        "timm.adamc",
        "per-lr",
        None,
        "adamw",
        0.9,
        ("adamc", "adamwc"),
        "timm: λ_t = λ η_t/η_peak",
        "applied to every decayed group, head included",
    ),
    OptimizerRow(
        "modded_nanogpt.Adam",
        "lr-squared",
        None,
        "adamw",
        0.9,
        ("modded-nanogpt",),
        "train_gpt.py: lr*lr*weight_decay",
    ),
    OptimizerRow(
        "lion_pytorch.Lion",
        "per-lr",
        0.0,
        "",
        0.9,
        ("lion",),
        "lion-pytorch: decoupled_weight_decay=True divides λ by the initial lr (per-schedule)",
    ),
)

#: every known name, lower case -> row
CATALOGUE: dict[str, OptimizerRow] = {name.lower(): row for row in _ROWS for name in (row.name, *row.aliases)}


def find_optimizer(name: str) -> OptimizerRow:
    """The row of an optimizer by its name or alias, in any case.

    Raises
    ------
    UsageError
        If it is unknown; the message lists the known names.
    """
    row = CATALOGUE.get(str(name).lower())
    if row is None:
        raise unknown_option("optimizer", name, [r.name for r in _ROWS])
    return row
