"""What a lab hands back: rows of predicted beside measured, curves for a picture, and what was not shown."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elltwo.errors import InputError

__all__ = ["Curve", "LabReport", "Row"]


@dataclass(frozen=True)
class Row:
    """One prediction of theory beside its measurement.

    ``low`` and ``high`` bound measured/predicted where a bound is claimed; with ``predicted`` None they
    bound the measurement itself. A row without bounds informs.
    """

    what: str
    measured: float
    predicted: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted if self.predicted else self.measured

    @property
    def holds(self) -> bool | None:
        """Whether the claim holds; None where nothing is claimed."""
        if self.low is None and self.high is None:
            return None
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return bool(low <= self.ratio <= high)


@dataclass(frozen=True)
class Curve:
    """A line of the lab's picture; ``panel`` is the index of the axes."""

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    panel: int = 0
    style: str = "-"


@dataclass(frozen=True)
class LabReport:
    """A claim, what was predicted and measured, and the picture of it."""

    name: str
    claim: str
    source: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()
    axes: tuple[tuple[str, str], ...] = (("step", ""),)
    log_x: bool = False
    log_y: bool = False
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def holds(self) -> bool:
        """Whether every row that claims something holds."""
        return all(r.holds is not False for r in self.rows)

    def __str__(self) -> str:
        lines = [textwrap.fill(self.claim, 79), textwrap.fill(f"Source: {self.source}", 79), ""]
        lines.append(f"{'':<42}{'predicted':>11}{'measured':>11}{'ratio':>8}")
        lines += [_line(r) for r in self.rows]
        lines += ["", *(textwrap.fill(f"- {n}", 79, subsequent_indent="  ") for n in self.notes)]
        return "\n".join(lines).rstrip() + f"\n({self.seconds:.0f} CPU seconds)"

    def figure(self) -> Any:
        """The picture as a matplotlib Figure; no pyplot state is touched."""
        from matplotlib.figure import Figure

        from elltwo.reporting.figures.style import SERIES

        figure = Figure(figsize=(4.6 * len(self.axes) + 0.6, 3.7), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(self.axes)))
        for i, (ax, (xlabel, ylabel)) in enumerate(zip(panels, self.axes, strict=True)):
            mine = [c for c in self.curves if c.panel == i]
            for k, curve in enumerate(mine):
                look = {"color": SERIES[k % len(SERIES)], "label": curve.label, "ms": 5, "lw": 1.6}
                ax.plot(curve.x, curve.y, curve.style, **look)
            ax.set_title(ylabel, loc="left", fontsize=10)
            ax.set_xlabel(xlabel)
            ax.set_xscale("log" if self.log_x else "linear")
            ax.set_yscale("log" if self.log_y else "linear")
            _plain_ticks(ax)
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(axis="y", color="0.9", lw=0.6)
            ax.set_axisbelow(True)
            if mine and not self._shared:
                ax.legend(frameon=False, fontsize=8)
        if self._shared:
            handles, labels = panels[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        return figure

    @property
    def _shared(self) -> bool:
        """Whether several panels show the same lines, so that one legend serves all."""
        labels = [[c.label for c in self.curves if c.panel == i] for i in range(len(self.axes))]
        return len(labels) > 1 and all(mine == labels[0] for mine in labels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture; the suffix gives the format.

        Raises
        ------
        InputError
            If matplotlib does not know the suffix or the file cannot be written.
        """
        try:
            self.figure().savefig(path, dpi=90)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot write the figure {path}: {error}") from error


def _plain_ticks(ax: Any) -> None:
    """1-2-5 steps written out on logarithmic axes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.set_minor_formatter(NullFormatter())


def _line(row: Row) -> str:
    predicted = "" if row.predicted is None else f"{row.predicted:.4g}"
    ratio = "" if row.predicted is None else f"{row.ratio:.3f}"
    mark = {True: "  holds", False: "  FAILS", None: ""}[row.holds]
    return f"{row.what:<42}{predicted:>11}{row.measured:>11.4g}{ratio:>8}{mark}"
