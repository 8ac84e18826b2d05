"""What a fitted face can show: figures, findings, and the whole report; drawn by the rooms above when asked."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from elltwo.estimators.fitting import Fit
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.selecting.nested import Nested


class Drawn:
    """Figures, findings and the report of a fit, by the same code that the command line uses.

    Diagnosing and reporting lie above the faces and imports go down: their names are looked up when a person
    asks, so that neither the floors nor the import time change.
    """

    solution_: Solution
    selection_: Selection | None
    rotated_: Rotated | None
    standardize: bool
    _fit: Fit

    def _spectral(self, what: str) -> Rotated:
        raise NotImplementedError  # Inspected's, which knows when there is no spectrum

    def nested_score(self, folds: int = 5, seed: int = 0) -> Nested:
        raise NotImplementedError  # Inspected's, which knows the rows

    def plot_path(self, **options: Any) -> Any:
        """Coefficients over λ; a matplotlib Figure. The report draws it with the same code."""
        return self._figure("path", options)

    def plot_selection(self, **options: Any) -> Any:
        """Every rule's curve over λ and what each would choose; a matplotlib Figure."""
        return self._figure("selection", options)

    def plot_shrinkage(self, **options: Any) -> Any:
        """Filter factors s²/(s² + λ) per direction; a matplotlib Figure."""
        return self._figure("shrinkage", options)

    def plot_geometry(self, **options: Any) -> Any:
        """Contours and sphere in the two strongest directions; a matplotlib Figure."""
        return self._figure("geometry", options)

    def findings(self, target: str = "the target", which: int = 0) -> tuple[Any, ...]:
        """What a person should know about this fit: codes, numbers, thresholds, sentences, remedies.

        Parameters
        ----------
        target : what to call the target.
        which : which of several targets.
        """
        facts = self._facts("findings")
        return import_module("elltwo.diagnosing").diagnose(
            facts["rotated"],
            facts["solution"],
            facts["selection"],
            facts["names"],
            target,
            which,
            self._row_numbers(),
        )

    def write_report(
        self,
        path: str | os.PathLike[str],
        target: str = "the target",
        which: int = 0,
        honest: bool = True,
    ) -> None:
        """Write the report of this fit: one HTML file, whole or not at all.

        Parameters
        ----------
        path : where to.
        target : what to call the target.
        which : which of several targets.
        honest : also measure the error of the whole procedure, λ choice included, by nested cross-validation
            (`nested_score`); left out where the rows are no longer there.

        Raises
        ------
        OutputError : the file cannot be written.
        """
        reporting = import_module("elltwo.reporting")
        facts = self._facts("write_report")
        nested = self.nested_score() if honest and self._fit.problem is not None else None
        report = reporting.collect(
            **facts,
            target=target,
            which=which,
            nested=nested,
            standardize=self.standardize,
            numbers=self._row_numbers(),
            rows=self._rows_drawn(facts["rotated"], which),
            reproduce=f"{self!r}.fit(X, y)",
        )
        reporting.write_html(report, path)

    def _figure(self, which: str, options: dict[str, Any]) -> Any:
        figures = import_module("elltwo.reporting.figures")
        return figures.draw(which, **self._facts(f"plot_{which}"), **options)

    def _facts(self, what: str) -> dict[str, Any]:
        """The shared objects of the fit by the names that the rooms above know."""
        return {
            "rotated": self._spectral(what),
            "selection": self.selection_,
            "solution": self.solution_,
            "names": getattr(self, "feature_names_in_", None),
        }

    def _rows_drawn(self, rotated: Rotated, which: int) -> Any:
        """Rows for the report, while they are here; a classifier's errors are of signs and tell nobody anything."""
        problem = self._fit.problem
        if problem is None or hasattr(self, "classes_"):
            return None
        at_hand = import_module("elltwo.reporting.parts.rows").rows_at_hand
        return at_hand(rotated, self.solution_, problem.A, self._row_numbers(), which)

    def _row_numbers(self) -> np.ndarray | None:
        """Numbers of the rows that were fitted, from 1; None where all were."""
        kept = self._fit.kept
        return None if kept is None else np.flatnonzero(kept) + 1
