"""Deblurring a picture: the strength from the picture itself, the same for all its colours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elltwo.errors import ChoiceWarning, InputError
from elltwo.inverse.face import reconstruct
from elltwo.inverse.reconstruction import Reconstruction
from elltwo.operators import Operator, convolution


@dataclass(frozen=True)
class Deblurred:
    """A sharper picture and why it is as sharp as it is.

    Attributes
    ----------
    pixels : same shape as the picture given.
    lam : λ, multiplying the Laplacian; the geometric mean of what the channels would choose.
    noise : (channels,) estimated standard deviation of the noise, in units of the pixels.
    channels : one Reconstruction per channel, at the λ each would choose.
    """

    pixels: np.ndarray
    lam: float
    noise: np.ndarray
    channels: tuple[Reconstruction, ...]


def deblur(
    picture: np.ndarray,
    psf: np.ndarray,
    *,
    boundary: str = "reflective",
    L: str = "laplacian",
    rule: str = "auto",
    noise: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Deblurred:
    """Undo a known blur: min ‖PSF * x − b‖² + λ²‖Lx‖² for each channel of a picture (h, w) or (h, w, c).

    ``rule="auto"`` is discrepancy where ``noise`` (standard deviation per pixel) is known. Else it is plain
    GCV, the sharpest where the model fits a large picture, unless its answer raises doubts (a border that
    does not fit, λ on an edge), which is where GCV ruins a picture: then it is robust GCV.

    Raises
    ------
    InputError
        If the picture has fewer than two pixels, is not finite, or is smaller than the PSF.
    """
    pixels = np.asarray(picture, dtype=np.float64)
    if pixels.ndim not in (2, 3):
        raise InputError(
            f"a picture has shape (height, width) or (height, width, channels); got {pixels.shape}"
        )
    if pixels.shape[0] * pixels.shape[1] < 2:
        raise InputError("a picture of one pixel cannot be deblurred: there is nothing around it to undo")
    A = convolution(psf, pixels.shape[:2], boundary)  # type: ignore[arg-type]  # checked there
    layers = pixels[:, :, None] if pixels.ndim == 2 else pixels
    answers = []
    for c in range(layers.shape[2]):
        if progress is not None:
            progress(f"channel {c + 1} of {layers.shape[2]}")
        answers.append(_one(A, layers[:, :, c].ravel(), L, rule, noise))
    lam = _common([a.lam for a in answers])
    out = [_at(a, lam, A.image_shape) for a in answers]
    sharp = np.dstack(out).reshape(pixels.shape)
    return Deblurred(sharp, lam, np.array([a.noise for a in answers]), tuple(answers))


def _one(A: Operator, b: np.ndarray, L: str, rule: str, noise: float | None) -> Reconstruction:
    if rule != "auto" or noise is not None:
        return reconstruct(A, b, L=L, rule=rule, noise=noise)
    with warnings.catch_warnings():  # a doubtful first try is not the answer
        warnings.simplefilter("ignore", ChoiceWarning)
        first = reconstruct(A, b, L=L, rule="gcv")
    return reconstruct(A, b, L=L, rule="rgcv") if first.findings else first


def _common(lams: list[float]) -> float:
    usable = [v for v in lams if 0 < v < np.inf]
    return float(np.exp(np.mean(np.log(usable)))) if usable else float(lams[0])


def _at(answer: Reconstruction, lam: float, shape: tuple[int, ...] | None) -> np.ndarray:
    """The channel at the common λ: one more transform, no new factorization."""
    from elltwo.shrinking import shrink

    if answer.lam == lam:
        return answer.coef.reshape(shape)
    return shrink(answer.rotated, lam**2).coef[:, 0].reshape(shape)
