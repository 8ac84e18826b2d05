"""Multiplicative symmetries of a network: exponents s with f(c^{s_1} w_1, ..., c^{s_k} w_k) = f(w). No torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Symmetry:
    """One symmetry: integer exponent per tensor, and how exactly it was found to hold.

    ``residual`` is |sum_i s_i <w_i, g_i>| over the size of its terms, largest over the cotangents.
    """

    exponents: tuple[tuple[str, int], ...]
    residual: float

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that take part."""
        return tuple(n for n, _ in self.exponents)

    @property
    def kind(self) -> str:
        """ "scale invariance" (one tensor), "joint scale invariance" (one sign) or "rescaling" (both signs)."""
        if len(self.exponents) == 1:
            return "scale invariance"
        signs = {s > 0 for _, s in self.exponents}
        return "rescaling" if len(signs) == 2 else "joint scale invariance"

    def __str__(self) -> str:
        return " ".join(f"{n}^{s:+d}" for n, s in self.exponents)


@dataclass(frozen=True)
class Symmetries:
    """All symmetries of a network, tensor by tensor, and how clearly they stand out.

    ``gap``: smallest singular value of A_ki = <w_i, g_ki> that is not zero over the largest that is
    (infinity when one side is empty). ``dead``: tensors without any effect.  ``odd``: null directions
    whose exponents are no small integers (left out of ``found``).
    """

    found: tuple[Symmetry, ...]
    gap: float
    spectrum: tuple[float, ...]
    dead: tuple[str, ...] = ()
    odd: int = 0

    def __iter__(self) -> Iterator[Symmetry]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __str__(self) -> str:
        head = f"{len(self.found)} multiplicative symmetries (spectral gap {self.gap:.1e})"
        return "\n".join([head, *(f"  {s.kind}: {s}" for s in self.found)])
