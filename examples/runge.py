"""Runge's phenomenon tamed: a polynomial of degree 20 beside a kernel whose width and λ the data chose.

Run ``python examples/runge.py picture.png`` to draw it.
"""

from __future__ import annotations

import sys

import numpy as np

from elltwo import KernelRidgeCV


def runge(x: np.ndarray) -> np.ndarray:
    """1/(1 + 25x²)."""
    return 1 / (1 + 25 * x**2)


def main(picture: str | None = None) -> float:
    """Fit both, print their largest errors, draw; returns the kernel's."""
    x = np.linspace(-1, 1, 31)
    y = runge(x) + 0.02 * np.random.default_rng(0).normal(size=x.size)
    fine = np.linspace(-1, 1, 801)
    model = KernelRidgeCV(kernel="rbf", rule="loo", parameters="optimize").fit(x[:, None], y)
    mean, deviation = model.predict(fine[:, None], return_std=True)
    polynomial = np.polynomial.Polynomial.fit(x, y, 20)(fine)
    error = float(np.abs(mean - runge(fine)).max())
    print(f"largest error: kernel {error:.3f}, polynomial {np.abs(polynomial - runge(fine)).max():.3g}")
    if picture:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(fine, polynomial, color="#b8500c", lw=1, label="polynomial of degree 20")
        axes.fill_between(fine, mean - 2 * deviation, mean + 2 * deviation, color="#0b5fcc", alpha=0.15, lw=0)
        axes.plot(fine, mean, color="#0b5fcc", lw=2, label="kernel, width and λ by leave-one-out, ± 2 sd")
        axes.plot(fine, runge(fine), color="black", lw=0.8, ls=":", label="1/(1 + 25x²)")
        axes.plot(x, y, "k.", ms=5)
        axes.set(ylim=(-0.6, 1.4), xlabel="x")
        axes.legend(frameon=False, loc="upper left", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(picture, dpi=130)
    return error


if __name__ == "__main__":
    main(*sys.argv[1:2])
