"""Figures from a report's dict: each function returns a matplotlib Figure and touches no pyplot state.


``draw(name, rotated=..., solution=..., ...)`` draws one of them from the facts of a fit.
"""

from typing import Any

from elltwo.reporting.figures.directions import geometry, shrinkage
from elltwo.reporting.figures.intervals import coefficients
from elltwo.reporting.figures.lines import bias_variance, path, selection
from elltwo.reporting.figures.rows import leverages, residuals

FIGURES = {
    "path": path,
    "selection": selection,
    "shrinkage": shrinkage,
    "geometry": geometry,
    "bias_variance": bias_variance,
    "coefficients": coefficients,
}


def draw(figure: str, **facts: Any) -> Any:
    """One figure from the facts of a fit; the arguments are those of `elltwo.reporting.collect.for_figure`."""
    from elltwo.reporting.collect import for_figure

    report = for_figure(figure, **facts)
    return FIGURES[figure](report)


__all__ = [
    "FIGURES", "bias_variance", "coefficients", "draw", "geometry", "leverages", "path", "residuals", "selection",
    "shrinkage",
]  # fmt: skip
