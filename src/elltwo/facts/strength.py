"""A regularization strength: a number together with the convention that gives it a meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from elltwo.errors import InputError


@dataclass(frozen=True)
class Strength:
    """A number with its convention; the same digits mean different fits in different programs.

    The canonical convention, ``"total"``, is the lambda of

        sum_i s_i (y_i - b - x_i'w)^2 + lambda ||w||^2,        b free,

    which is scikit-learn's ``Ridge(alpha=lambda)``. The names of all others, and the formulas between
    them, are in :mod:`elltwo.laws.conventions`; :func:`elltwo.convert` carries a Strength across.

    Parameters
    ----------
    value : float or tuple of float
        The number, or one number per column.
    convention : str, default "total"
        Name in the dictionary of conventions.
    columns : {"raw", "standardized"}, default "raw"
        Whether ||w|| is that of the columns as they came, or of columns divided by their standard
        deviation (population, 1/n).
    n : float, optional
        Rows, or the sum of the weights, where the convention divides by them.
    sd_y : float, optional
        Standard deviation (1/n) of the response, where the convention divides by it.
    noise_variance : float, optional
        Variance of the noise in squared units of y, where the convention needs it.

    Raises
    ------
    InputError
        A value that is negative or not a number.
    """

    value: float | tuple[float, ...]
    convention: str = "total"
    columns: Literal["raw", "standardized"] = "raw"
    n: float | None = None
    sd_y: float | None = None
    noise_variance: float | None = None

    def __post_init__(self) -> None:
        for number in self.value if isinstance(self.value, tuple) else (self.value,):
            if math.isnan(number) or (number < 0 and self.convention != "himalaya.GroupRidge"):
                raise InputError(f"a strength must be a number >= 0, got {number!r} ({self.convention})")
        if self.columns not in ("raw", "standardized"):
            raise InputError(f"columns must be 'raw' or 'standardized', got {self.columns!r}")

    def __str__(self) -> str:
        where = " on standardized columns" if self.columns == "standardized" else ""
        if isinstance(self.value, tuple):
            return f"{self.convention} = one of {len(self.value)} values per column{where}"
        return f"{self.convention} = {self.value:.6g}{where}"
