"""What the penalty does to each direction, and the picture of the two strongest."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.diagnosing.view import View
from elltwo.laws.ridge import filter_factors, gains

MOST = 400
NAMED = 12


def shrinkage(view: View) -> dict[str, Any]:
    """Singular values, filter factors f = s²/(s² + λ), share of the target's energy, and what each is made of."""
    f = filter_factors(view.s, np.array([view.alpha]))[:, 0]
    energy = float(view.rotated.total[view.which])
    named = [
        {
            "number": j + 1,
            "s": view.s[j],
            "factor": f[j],
            "share": view.z[j] ** 2 / energy if energy > 0 else np.nan,
            "made_of": made_of(view, j),
        }
        for j in range(min(NAMED, view.s.size))
    ]
    return {"s": view.s[:MOST], "factors": f[:MOST], "of": int(view.s.size), "directions": named}


def made_of(view: View, j: int, most: int = 3) -> list[str]:
    """The columns that weigh most in direction j, with signs, standardized where their spread is known."""
    if view.V is None:
        return []
    scale = view.rotated.spectrum.scale
    loading = view.V[:, j] * (np.ones(view.columns) if scale is None else scale)
    order = np.argsort(-np.abs(loading))[:most]
    heaviest = loading[order[0]]
    heavy = [i for i in order if abs(loading[i]) > 0.25 * abs(heaviest)]
    return [("+ " if loading[i] * heaviest > 0 else "− ") + view.names[i] for i in heavy]


def orientation(view: View, j: int) -> float:
    """1 or −1: the sign that makes the heaviest column of direction j count upward, as `made_of` says it."""
    if view.V is None:
        return 1.0
    scale = view.rotated.spectrum.scale
    loading = view.V[:, j] * (np.ones(view.columns) if scale is None else scale)
    return float(np.sign(loading[np.argmax(np.abs(loading))]) or 1.0)


def geometry(view: View) -> dict[str, Any] | None:
    """The two directions that explain most of the target: centre of the contours, and the path to 0.

    Along them the problem separates: (z₁ − s₁y₁)² + (z₂ − s₂y₂)² + λ(y₁² + y₂²), whose contours are ellipses
    around (z₁/s₁, z₂/s₂) and whose penalty is a circle around 0. Hoerl & Kennard (1970), fig. 1.
    """
    if view.s.size < 2 or not np.all(view.s[:2] > 0):
        return None
    strong = np.sort(np.argsort(-(view.z**2), kind="stable")[:2])
    s, z = view.s[strong], view.z[strong] * [orientation(view, int(j)) for j in strong]
    if not np.all(s > 0) or not np.any(z != 0):
        return None
    y = gains(s, np.array([view.alpha]))[:, 0] * z
    return {
        "directions": [int(j) + 1 for j in strong],
        "s": s,
        "z": z,
        "centre": z / s,
        "chosen": y,
        "made_of": [made_of(view, int(j), 2) for j in strong],
        "alpha": view.alpha,
    }
