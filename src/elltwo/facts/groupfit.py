"""Fits without a spectrum of their own: strengths per group, and designs too large to factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.facts.selection import Selection


@dataclass(frozen=True)
class GroupFit:
    """Banded ridge: what its groups were given and what they gave.

    Attributes
    ----------
    names : of the groups. sizes : (G,) columns of each, or of the kernel's rows.
    alphas, df : (G, t) strength and degrees of freedom; (G, 1) where the targets share them.
    split : (G, t) contributions to R² on the fitted rows. held : the same on rows held out, or None.
    rule : what chose. trace : its value after every step of the search. evaluations : of it and its gradient.
    at_end : (G,) did the strength stop where the search does not look beyond? converged : did the search end well?
    rows : number fitted. kernels : are the groups kernels?
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    alphas: np.ndarray
    df: np.ndarray
    split: np.ndarray
    held: np.ndarray | None
    rule: str
    trace: np.ndarray
    evaluations: int
    at_end: np.ndarray
    converged: bool
    rows: int
    kernels: bool = False


@dataclass(frozen=True)
class LargeFit:
    """Ridge by conjugate gradients: every strength that was tried, and what it cost.

    Attributes
    ----------
    shape : (n, p). stored : numbers that the design holds.
    selection : the curve, whose error is that of the probes or of the folds, and the choice.
    df, df_error : (L,) estimated degrees of freedom and their standard error over probes, or None.
    steps, residual : (L,) products with the design and the relative residual reached, the worst of the targets.
    tol : relative residual asked for. probes : random probes, or folds.
    columns : numbers of the largest coefficients. path : (L, k) their values at every strength.
    """

    shape: tuple[int, int]
    stored: int
    selection: Selection
    df: np.ndarray | None
    df_error: np.ndarray | None
    steps: np.ndarray
    residual: np.ndarray
    tol: float
    probes: int
    columns: np.ndarray
    path: np.ndarray
