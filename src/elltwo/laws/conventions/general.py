"""Conventions that belong to no program: sums, means, priors, lengths, degrees of freedom."""

from __future__ import annotations

from elltwo.laws.conventions import implicit
from elltwo.laws.conventions.row import (
    DEFINITION,
    EXACT,
    MEAN,
    ONE,
    OVER_NOISE,
    Convention,
    Formula,
)

REFIT = "1e-10, a refit at the λ found"

ROWS = [
    Convention(
        "total",
        "RSS + λ‖w‖²",
        "value",
        ONE,
        loss="any",
        aliases=("elltwo", "elltwo.Ridge", "lambda", "alpha", "sum"),
        checked=DEFINITION,
    ),
    Convention(
        "per_column",
        "RSS + Σⱼ λⱼ wⱼ²",
        "value, one per column",
        ONE,
        loss="any",
        per_column=True,
        aliases=("columns",),
        checked=DEFINITION,
    ),
    Convention(
        "mean",
        "RSS/Σs + λ‖w‖²",
        "value · Σs",
        MEAN,
        needs=("n",),
        aliases=("per_sample", "per-sample"),
        checked=DEFINITION,
    ),
    Convention(
        "half_mean",
        "RSS/(2Σs) + λ/2 ‖w‖²; mean loss + λ/2 ‖w‖² for a likelihood",
        "value · Σs",
        MEAN,
        loss="any",
        needs=("n",),
        checked=DEFINITION,
    ),
    Convention(
        "prior_variance",
        "w ~ N(0, value·I), noise ~ N(0, noise_variance); w the posterior mean",
        "noise_variance / value",
        OVER_NOISE,
        needs=("noise_variance",),
        aliases=("gaussian_prior", "tau2"),
        checked=EXACT,
    ),
    Convention(
        "radius",
        "RSS subject to ‖w‖ ≤ value",
        "the λ that reaches the length",
        Formula(implicit.from_radius, implicit.to_radius),
        columns="any",
        needs=("X", "y"),
        aliases=("norm",),
        checked=REFIT,
    ),
    Convention(
        "fracridge",
        "‖w‖ = value · ‖w at λ = 0‖",
        "the λ that reaches the length",
        Formula(implicit.from_fraction, implicit.to_fraction),
        columns="any",
        needs=("X", "y"),
        aliases=("length_fraction", "frac"),
        note="fracridge itself interpolates on a grid and reaches the length to about 3 digits",
        checked=REFIT,
    ),
    Convention(
        "df",
        "trace of the hat matrix = value",
        "the λ that leaves so many degrees of freedom",
        Formula(implicit.from_df, implicit.to_df),
        columns="any",
        needs=("X",),
        aliases=("degrees_of_freedom",),
        note="a free intercept counts as 1",
        checked=REFIT,
    ),
]
