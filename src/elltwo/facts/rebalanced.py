"""What a rebalancing did. Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """One symmetry along which the parameters were moved.

    ``before``/``after``: sum of squares of the tensors that take part. ``path_norm``: sum over units of
    2 |v_j| ||u_j||, what that sum of squares comes down to when only this symmetry is balanced (None when the
    symmetry does not split into units).
    """

    symmetry: str
    units: int
    before: float
    after: float
    path_norm: float | None


@dataclass(frozen=True)
class Rebalanced:
    """Sum of squares of all trainable parameters before and after, and how far the outputs moved (relative).

    ``change`` is that of the move itself, in float64; ``rounded`` includes storing the new weights in the model's own
    precision. ``left_out``: symmetries that hold nearly, or in train mode only, and were not used.
    """

    before: float
    after: float
    change: float
    moves: tuple[Move, ...]
    sweeps: int
    left_out: tuple[str, ...] = ()
    rounded: float = 0.0

    def penalty(self, weight_decay: float) -> float:
        """(weight_decay/2) ||w||^2 after the move: for balanced pairs, weight_decay * sum_j |v_j| ||u_j||."""
        return 0.5 * weight_decay * self.after

    def __str__(self) -> str:
        head = (
            f"||w||^2 from {self.before:.6g} to {self.after:.6g} with the same outputs "
            f"(relative change {self.change:.1e}, {self.sweeps} sweeps)"
        )
        if self.rounded > 10 * max(self.change, 1e-15):
            head += f"\n  stored in the model's own precision, they change by {self.rounded:.1e}"
        lines = [f"  {m.symmetry}: {m.before:.6g} -> {m.after:.6g} ({m.units} units)" for m in self.moves]
        lines += [f"  not used, for it holds nearly or in one mode only: {s}" for s in self.left_out]
        return "\n".join([head, *lines])
