"""One look for every figure: the palette, the fonts, and a styled matplotlib Figure without pyplot.

Colours are the light ones; the page turns each into a CSS variable of the same name (`figures.svg`), so that one
drawing reads on light and dark paper. Adapted from Okabe & Ito's palette for colour-blind readers, darkened for text.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, cast

INK = "#1f2430"
MUTED = "#667085"
GRID = "#e3e6eb"
FAINT = "#c3c9d4"
ACCENT = "#0b63ce"
ORANGE = "#b8510a"
GREEN = "#0a7a5c"
PURPLE = "#7a3fc4"
PINK = "#b8256b"
GOLD = "#8a6a00"
CYAN = "#0e7490"
SLATE = "#475467"

PALETTE = {
    "ink": INK, "muted": MUTED, "grid": GRID, "faint": FAINT, "accent": ACCENT, "orange": ORANGE, "green": GREEN,
    "purple": PURPLE, "pink": PINK, "gold": GOLD, "cyan": CYAN, "slate": SLATE,
}  # fmt: skip
SERIES = (ACCENT, ORANGE, GREEN, PURPLE, PINK, GOLD, CYAN, SLATE)
WIDTH, HEIGHT = 4.9, 3.7  # inches: one column of the page, and about one phone
SIZE = 10.5

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "axes.labelsize": SIZE,
    "xtick.labelsize": SIZE - 1,
    "ytick.labelsize": SIZE - 1,
    "legend.fontsize": SIZE - 1,
    "text.color": INK,
    "text.parse_math": False,  # a column may be called price_$
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.visible": False,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "svg.hashsalt": "elltwo",
    "axes.unicode_minus": True,
}


def canvas(width: float = WIDTH, height: float = HEIGHT) -> tuple[Any, Any]:
    """A Figure with one Axes in this look; no pyplot state is touched."""
    from matplotlib.figure import Figure

    with look():
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        return figure, figure.add_subplot()


def styled(function: Any) -> Any:
    """Run a drawing function inside this look, whatever the reader's matplotlib settings are."""

    @wraps(function)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        with look():
            return function(*args, **kwargs)

    return drawn


@contextmanager
def look() -> Iterator[None]:
    """This look for the time of a ``with``; names in any script are left to the reader's own fonts."""
    import matplotlib

    with matplotlib.rc_context(cast(Any, RC)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
