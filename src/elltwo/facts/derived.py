"""A column made from columns: plain data that says which, so that any row gives the same number again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from elltwo.facts.strict import READERS, Malformed, record

KINDS = ("power", "product", "log", "spline")
MOST_KNOTS, MOST_DEGREE = 50, 9


@dataclass(frozen=True)
class Derived:
    """One declared feature, complete.

    Attributes
    ----------
    kind : {"power", "product", "log", "spline"}
    columns : the number columns it is made of.
    degree : of a power.
    centre : per column of a power or product, what is subtracted first.
    knots : of a spline, ascending.
    impute : training means of the columns that it makes, once they are known.
    """

    kind: str
    columns: tuple[str, ...]
    degree: int = 1
    centre: tuple[float, ...] = ()
    knots: tuple[float, ...] = ()
    impute: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        made_of = {"power": 1, "product": 2, "log": 1, "spline": 1}
        if self.kind not in KINDS or len(self.columns) != made_of[self.kind]:
            raise Malformed(f"a feature of kind {self.kind!r} made of {len(self.columns)} columns")
        if len(self.centre) != (len(self.columns) if self.kind in ("power", "product") else 0):
            raise Malformed(f"the feature {self.kind} of {self.columns[0]!r} has {len(self.centre)} centres")
        if not 1 <= self.degree <= MOST_DEGREE:
            raise Malformed(f"a feature has degree {self.degree}")
        steps = all(a < b for a, b in zip(self.knots, self.knots[1:], strict=False))
        if (self.kind == "spline") != (2 <= len(self.knots) <= MOST_KNOTS) or not steps:
            raise Malformed(f"the feature {self.kind} of {self.columns[0]!r} has knots {self.knots[:3]}")
        finite = all(math.isfinite(v) for v in (*self.centre, *self.knots, *self.impute))
        if not finite or len(self.impute) not in (0, len(self.names)):
            raise Malformed(f"the feature {self.kind} of {self.columns[0]!r} has numbers that cannot be")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns it makes."""
        a = self.columns[0]
        if self.kind == "power":
            return (f"{a}^{self.degree}",)
        if self.kind == "product":
            return (f"{a}*{self.columns[1]}",)
        if self.kind == "log":
            return (f"log({a})",)
        return tuple(f"spline({a}) {i + 1}" for i in range(len(self.knots) + 1))

    @property
    def sentence(self) -> str:
        """What its names stand for."""
        about = zip(self.columns, self.centre, strict=False)
        shown = [f"({name} {'-' if c >= 0 else '+'} {abs(c):.6g})" for name, c in about]
        if self.kind == "power":
            return f"column {self.names[0]} stands for {shown[0]}^{self.degree}"
        if self.kind == "product":
            return f"column {self.names[0]} stands for {shown[0]}*{shown[1]}"
        if self.kind == "log":
            return f"column {self.names[0]} is the natural logarithm, missing where there is none"
        which = f"columns spline({self.columns[0]}) 1 to {len(self.names)}"
        ends = f"from {self.knots[0]:.6g} to {self.knots[-1]:.6g}, constant beyond"
        return f"{which} are cubic B-splines on {len(self.knots)} knots {ends}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Derived:
        """Of plain values from anywhere; Malformed if they cannot be."""
        return derived_record(data, "feature")


def derived_record(value: object, where: str) -> Derived:
    """A `Derived` from an untrusted mapping."""
    return record(Derived, value, where, READERS)
