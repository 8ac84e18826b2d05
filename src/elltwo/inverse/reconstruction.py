"""The answer to an inverse problem, carrying its evidence."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from elltwo.facts.finding import Finding
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import Spectrum
from elltwo.facts.strength import Strength
from elltwo.inverse.prepare import Prepared


@dataclass(frozen=True)
class Reconstruction:
    """x_λ of min ‖A x − b‖² + α‖L(x − x0)‖², α = λ², and how it came about.

    Attributes
    ----------
    coef : (n,) or (n, t).
    alpha : float or (t,) — multiplies ‖L(x − x0)‖².
    lam : float or (t,) — √alpha, the λ of the inverse-problems literature, which multiplies L.
    strength : the same as a Strength in the convention ``"total"`` (first target).
    df : float or (t,) degrees of freedom of the fit, free directions included.
    noise : estimated (or given) standard deviation of each datum, in the units of b after whitening.
    residual_norm, solution_norm : ‖A x − b‖ and ‖L(x − x0)‖, after whitening.
    method, reason : how the Spectrum was made, and why.
    findings : what deserves a look.
    selection : the choice of λ with all curves.
    solution, rotated, problem : the objects behind it: the answer, the data in the Spectrum's axes, A and L.
    image_shape : the shape in which ``coef`` is a picture, if known.
    """

    coef: np.ndarray
    alpha: Any
    lam: Any
    strength: Strength
    df: Any
    noise: Any
    residual_norm: Any
    solution_norm: Any
    method: str
    reason: str
    findings: tuple[Finding, ...]
    selection: Selection
    solution: Solution
    rotated: Rotated = field(repr=False)
    problem: Prepared = field(repr=False)
    image_shape: tuple[int, ...] | None = None

    @property
    def spectrum(self) -> Spectrum:
        """The Spectrum that every curve was read off."""
        return self.rotated.spectrum

    @property
    def image(self) -> np.ndarray:
        """``coef`` in the shape of a picture (first target)."""
        flat = self.coef if self.coef.ndim == 1 else self.coef[:, 0]
        return flat if self.image_shape is None else flat.reshape(self.image_shape)

    def write_report(self, path: str | os.PathLike[str], title: str = "Reconstruction") -> None:
        """Write a page: the solution, λ and why, the L-curve, the Picard plot and the findings (first target).

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        # the drawing room lies above this one and imports go down: its name is looked up when a page is asked for
        page = import_module("elltwo.reporting.spectral")
        page.write_spectral(
            path,
            rotated=self.rotated,
            solution=self.solution,
            selection=self.selection,
            title=title,
            noise=float(np.atleast_1d(self.noise)[0]),
            findings=self.findings,
            answer=self.image,
        )

    def __str__(self) -> str:
        lam, df, noise = (np.atleast_1d(v)[0] for v in (self.lam, self.df, self.noise))
        lines = [
            f"λ = {lam:.4g} (α = λ² = {lam**2:.4g}), chosen by {self.selection.rule}",
            f"degrees of freedom {df:.1f}, noise per datum about {noise:.3g}",
            f"made by {self.method}: {self.reason}",
        ]
        return "\n".join([*lines, *(f"{f.severity}: {f.sentence} {f.remedy}" for f in self.findings)])
