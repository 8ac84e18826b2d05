"""What a conversion may need to know besides the number: rows, weights, scales, the data themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elltwo.errors import ConversionError, InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rotation:
    """Singular values (k,), rotated response (k,) and the energy of y outside their range."""

    s: Array
    z: Array
    rest: float


def _vector(name: str, values: ArrayLike | None, length: int | None = None) -> Array | None:
    if values is None:
        return None
    out = np.asarray(values, dtype=float)
    if out.ndim == 2 and out.shape[1] == 1:
        out = out[:, 0]
    if out.ndim != 1 or not np.isfinite(out).all():
        raise InputError(f"{name} must be a vector of finite numbers, got shape {out.shape}")
    if length is not None and len(out) != length:
        raise InputError(f"{name} has {len(out)} entries, X has {length} rows")
    return out


@dataclass(frozen=True)
class Setting:
    """The facts a formula may ask for; what is absent is asked for in one sentence.

    Parameters
    ----------
    asker : str
        The convention that asks, for the sentence.
    n, sd_y, noise_variance : float, optional
        Rows, population standard deviation of y, variance of the noise.
    X : (n, p) array, y : (n,) array, weights : (n,) array, optional
        The data; n, sd_y and the scales of the columns are taken from them when not given.
    sd_x : (p,) array, optional
        Population standard deviations of the columns, instead of X.
    fit_intercept : bool
        Whether the model has a free intercept (then data are centred before anything else).
    standardized : bool
        The columns have standard deviation 1 already: raw and standardized are the same thing.
    penalty_factor : (p,) array, optional
        glmnet's relative strength per column.
    """

    asker: str = "total"
    n: float | None = None
    sd_y: float | None = None
    noise_variance: float | None = None
    X: Array | None = None
    y: Array | None = None
    weights: Array | None = None
    sd_x: Array | None = None
    fit_intercept: bool = True
    standardized: bool = False
    penalty_factor: Array | None = None

    @classmethod
    def read(cls, X: ArrayLike | None = None, y: ArrayLike | None = None, **facts: object) -> Setting:
        """Check the arrays once and keep them as float64."""
        table = None
        if X is not None:
            table = np.asarray(X, dtype=float)
            if table.ndim != 2 or not table.size or not np.isfinite(table).all():
                raise InputError(
                    f"X must be a table of finite numbers (rows, columns), got shape {table.shape}"
                )
        rows = None if table is None else len(table)
        for name in ("weights", "sd_x", "penalty_factor"):
            facts[name] = _vector(name, facts.get(name), rows if name == "weights" else None)  # type: ignore[arg-type]  # any array-like
        weights = facts["weights"]
        if weights is not None and (np.any(weights < 0) or not np.any(weights > 0)):  # type: ignore[operator]  # an array by now
            raise InputError("weights must be >= 0 and not all zero")
        return cls(X=table, y=_vector("y", y, rows), **facts)  # type: ignore[arg-type]  # names checked by the dataclass

    def missing(self, what: str, why: str) -> ConversionError:
        """The sentence for a fact that the conversion cannot do without."""
        return ConversionError(f"{self.asker}: give {what}, because {why}")

    @property
    def total_weight(self) -> float:
        """Sum of the weights; the number of rows when there are none."""
        if self.weights is not None:
            return float(self.weights.sum())
        if self.n is not None:
            if not self.n > 0:
                raise InputError(f"n must be > 0, got {self.n!r}")
            return float(self.n)
        for data in (self.y, self.X):
            if data is not None:
                return float(len(data))
        raise self.missing("n= (or y=, X= or weights=)", "its loss is a mean over rows")

    @property
    def rows(self) -> float:
        """Number of rows, weights aside (for the n-1 of a sample variance)."""
        for data in (self.y, self.X, self.weights):
            if data is not None:
                return float(len(data))
        return self.total_weight

    def _moments(self, table: Array) -> tuple[Array, Array]:
        """Weighted mean and mean square around it, per column."""
        mean = np.average(table, axis=0, weights=self.weights)
        return mean, np.average((table - mean) ** 2, axis=0, weights=self.weights)

    @property
    def response_scale(self) -> float:
        """sd(y) with 1/n; root mean square of y when there is no intercept (glmnet's rule)."""
        if self.sd_y is not None:
            scale = float(self.sd_y)
        elif self.y is None:
            word = "sd_y= (or y=)" if self.fit_intercept else "sd_y= (the root mean square of y) or y="
            raise self.missing(word, "it divides lambda by the scale of y")
        elif self.fit_intercept:
            scale = float(np.sqrt(self._moments(self.y)[1]))
        else:
            scale = float(np.sqrt(np.average(self.y**2, weights=self.weights)))
        if not scale > 0:
            raise InputError("y is constant: its standard deviation is 0 and cannot divide lambda")
        return scale

    def column_scale(self, kind: str) -> Array:
        """Scale of the columns a penalty is measured in: 1 ("raw"), sd ("sd") or root mean square ("rms")."""
        if kind == "raw" or self.standardized:
            return np.ones(1)
        if self.sd_x is not None:
            scale = self.sd_x
        elif self.X is None:
            raise self.missing(
                "X= or sd_x= (or standardized=True if the columns have sd 1 already)",
                "one of the two penalises standardized columns and the other columns as they are",
            )
        elif kind == "rms" and not self.fit_intercept:
            scale = np.sqrt(np.average(self.X**2, axis=0, weights=self.weights))
        else:
            scale = np.sqrt(self._moments(self.X)[1])
        if not np.all(scale > 0):
            raise InputError(f"column {int(np.argmin(scale))} of X is constant: it has no scale; drop it")
        return scale

    def need_X(self) -> Array:
        """X, or the sentence that asks for it."""
        if self.X is None:
            raise self.missing("X=", "it depends on the singular values of the data")
        return self.X

    def need_y(self) -> Array:
        """y, or the sentence that asks for it."""
        if self.y is None:
            raise self.missing("y=", "it depends on the fit")
        return self.y

    @cached_property
    def root_weights(self) -> Array:
        """Square roots of the weights (n,), ones without weights."""
        return np.sqrt(self.weights) if self.weights is not None else np.ones(int(self.rows))

    def rotate(self, scale: Array, with_y: bool) -> Rotation:
        """Spectrum of the centred, weighted X divided by ``scale`` per column, and y turned into it."""
        table = self.need_X()
        centre = self._moments(table)[0] if self.fit_intercept else 0.0
        u, s, _ = np.linalg.svd(self.root_weights[:, None] * (table - centre) / scale, full_matrices=False)
        keep = s > s[0] * max(table.shape) * np.finfo(float).eps
        if not with_y:
            return Rotation(s[keep], np.zeros(int(keep.sum())), 0.0)
        y = self.need_y()
        response = self.root_weights * (y - (self._moments(y)[0] if self.fit_intercept else 0.0))
        z = u[:, keep].T @ response
        return Rotation(s[keep], z, max(float(response @ response - z @ z), 0.0))
