"""``elltwo deblur``: a picture and a PSF in; a sharper picture and a report out."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from elltwo.errors import ChoiceWarning
from elltwo.inverse.deblur import Deblurred, deblur
from elltwo.inverse.deblur_page import deblur_page
from elltwo.inverse.pictures import Picture, read_picture, write_picture
from elltwo.inverse.psf import parse_psf
from elltwo.tables.files import atomic_write


def deblur_command(
    image: Path,
    psf: str,
    out: Path | None = None,
    report: Path | None = None,
    rule: str = "auto",
    noise: float | None = None,
    boundary: str = "reflective",
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Deblur a picture file; write the picture and the report, each whole or not at all.

    Parameters
    ----------
    image : picture file, grey or colour, 8 or 16 bits.
    psf : see ``elltwo.inverse.psf.KINDS``.
    out, report : where to write; ``NAME-sharp`` beside the picture by default.
    rule, noise, boundary : as in :func:`elltwo.inverse.deblur.deblur`; noise as a fraction of full scale.

    Returns
    -------
    dict
        ``out``, ``report``, ``lam``, ``alpha``, ``rule``, ``noise``, ``df``, ``method``, ``shape``,
        ``channels``, ``findings`` (list of dict) and ``sentence``: plain values, ready for JSON.

    Raises
    ------
    DataError, InputError
        If the picture or the PSF cannot be used; one sentence says what to do.
    """
    image = Path(image)
    kernel, before = parse_psf(psf), read_picture(image)
    with warnings.catch_warnings():  # findings carry the same sentences, and the caller prints those
        warnings.simplefilter("ignore", ChoiceWarning)
        result = deblur(before.pixels, kernel, boundary=boundary, rule=rule, noise=noise, progress=progress)
    after = replace(before, pixels=result.pixels)
    target = Path(out) if out is not None else _beside(image, before)
    page = Path(report) if report is not None else target.with_suffix(".html")
    html = deblur_page(
        image.name, psf, boundary, before, after, result, _command(image, psf, rule, noise, boundary)
    )
    write_picture(target, after)
    atomic_write(page, html)
    return _facts(target, page, before, result)


def _beside(image: Path, picture: Picture) -> Path:
    suffix = image.suffix.lower()
    if picture.mode == "F":
        suffix = ".tif"
    elif suffix not in (".png", ".tif", ".tiff"):  # a lossy format would blur it again
        suffix = ".png"
    return image.with_name(f"{image.stem}-sharp{suffix}")


def _command(image: Path, psf: str, rule: str, noise: float | None, boundary: str) -> str:
    words = ["elltwo", "deblur", image.name, "--psf", psf]
    if rule != "auto":
        words += ["--rule", rule]
    if noise is not None:
        words += ["--noise", f"{noise:g}"]
    if boundary != "reflective":
        words += ["--boundary", boundary]
    return shlex.join(words)


def _facts(target: Path, page: Path, picture: Picture, result: Deblurred) -> dict[str, Any]:
    first = result.channels[0]
    seen = {f.sentence: f for channel in result.channels for f in channel.findings}
    return {
        "out": str(target),
        "report": str(page),
        "lam": float(result.lam),
        "alpha": float(result.lam**2),
        "rule": first.selection.rule,
        "noise": [float(v) for v in result.noise],
        "df": float(first.df),
        "method": first.method,
        "shape": list(picture.shape),
        "channels": int(picture.pixels.shape[2]),
        "findings": [
            {"code": f.code, "severity": f.severity, "sentence": f.sentence, "remedy": f.remedy}
            for f in seen.values()
        ],
        "sentence": (
            f"λ = {result.lam:.4g}, chosen by {first.selection.rule}; noise about "
            f"{100 * float(np.mean(result.noise)):.2g} % of full scale."
        ),
    }
