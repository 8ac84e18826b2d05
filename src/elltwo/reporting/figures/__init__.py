"""Figures from a report's dict: each function returns a matplotlib Figure and touches no pyplot state."""

from elltwo.reporting.figures.directions import geometry, shrinkage
from elltwo.reporting.figures.intervals import coefficients
from elltwo.reporting.figures.lines import bias_variance, path, selection

__all__ = ["bias_variance", "coefficients", "geometry", "path", "selection", "shrinkage"]
