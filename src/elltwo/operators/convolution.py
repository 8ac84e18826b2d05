"""Convolution of a field with a point-spread function, and what lies beyond its border."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, get_args

import numpy as np
from scipy import fft
from scipy.linalg import toeplitz

from elltwo.errors import InputError, unknown_option
from elltwo.operators.base import Operator

Boundary = Literal["zero", "periodic", "reflective"]


class ConvolutionOperator(Operator):
    """b = PSF * x on a grid, same size, where x continues beyond its border as ``boundary`` says.

    ``"zero"``: black outside; ``"periodic"``: the picture repeats; ``"reflective"``: it is mirrored
    at its edge (half-sample symmetric), the usual choice for photographs.

    Attributes
    ----------
    psf : ndarray
        Centred at index ``size // 2`` along each axis; not normalised.
    image_shape : tuple of int
    boundary : str

    Notes
    -----
    Products cost one padded FFT pair. Source: Hansen, Nagy & O'Leary, Deblurring Images (SIAM 2006), ch. 3-4.
    """

    image_shape: tuple[int, ...]

    def __init__(self, psf: np.ndarray, image_shape: tuple[int, ...], boundary: Boundary) -> None:
        size = int(np.prod(image_shape))
        super().__init__((size, size))
        self.psf, self.image_shape, self.boundary = psf, image_shape, boundary
        self._low = tuple(p - 1 - p // 2 for p in psf.shape)  # reach of the flipped PSF below and above
        self._high = tuple(p // 2 for p in psf.shape)

    @property
    def axes_symmetric(self) -> bool:
        """Is the PSF unchanged when flipped along any one axis (to rounding)?"""
        scale = 1e-13 * np.abs(self.psf).max()
        odd = all(p % 2 for p in self.psf.shape)
        flips = (np.abs(self.psf - np.flip(self.psf, axis)).max() <= scale for axis in range(self.psf.ndim))
        return odd and all(flips)

    @cached_property
    def factors(self) -> tuple[np.ndarray, ...] | None:
        """One 1-D PSF per axis whose outer product is the PSF (to 1e-12 of its peak), or None."""
        peak = np.unravel_index(np.argmax(np.abs(self.psf)), self.psf.shape)
        parts, product = [], np.ones((1,) * self.psf.ndim)
        for axis in range(self.psf.ndim):
            index = tuple(slice(None) if a == axis else peak[a] for a in range(self.psf.ndim))
            line = self.psf[index] / (self.psf[peak] if axis else 1.0)
            parts.append(line)
            product = product * line.reshape([-1 if a == axis else 1 for a in range(self.psf.ndim)])
        close = np.abs(product - self.psf).max() <= 1e-12 * np.abs(self.psf[peak])
        return tuple(parts) if close else None

    def axis_matrices(self) -> tuple[np.ndarray, ...] | None:
        """Return one dense matrix per axis whose Kronecker product is this operator, if it has one."""
        if self.factors is None:
            return None
        pairs = zip(self.factors, self.image_shape, strict=True)
        return tuple(_axis_matrix(line, n, self.boundary) for line, n in pairs)

    @cached_property
    def _grid(self) -> tuple[int, ...]:
        """FFT sizes: the padded field, or the field itself when it is periodic."""
        if self.boundary == "periodic":
            return self.image_shape
        reach = (n + p - 1 for n, p in zip(self.image_shape, self.psf.shape, strict=True))
        return tuple(fft.next_fast_len(r, real=True) for r in reach)

    @cached_property
    def symbol(self) -> np.ndarray:
        """Real FFT of the PSF wrapped around the origin of the FFT grid."""
        wrapped = np.zeros(self._grid)
        wrapped[tuple(slice(p) for p in self.psf.shape)] = self.psf
        shift = [-(p // 2) for p in self.psf.shape]
        return fft.rfftn(np.roll(wrapped, shift, tuple(range(self.psf.ndim))))

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return self._columns(x, self._convolve)

    def _backward(self, y: np.ndarray) -> np.ndarray:
        return self._columns(y, self._correlate)

    def _columns(self, x: np.ndarray, product: object) -> np.ndarray:
        out = np.empty((self.shape[0], x.shape[1]))
        for j in range(x.shape[1]):
            out[:, j] = product(x[:, j].reshape(self.image_shape)).ravel()  # type: ignore[operator]  # a method
        return out

    def _convolve(self, x: np.ndarray) -> np.ndarray:
        if self.boundary == "periodic":
            return fft.irfftn(self.symbol * fft.rfftn(x), self._grid)
        if self.boundary == "reflective":
            x = np.pad(x, tuple(zip(self._low, self._high, strict=True)), mode="symmetric")
            full = fft.irfftn(self.symbol * fft.rfftn(x, self._grid), self._grid)
            pairs = zip(self._low, self.image_shape, strict=True)
            return full[tuple(slice(low, low + n) for low, n in pairs)]
        full = fft.irfftn(self.symbol * fft.rfftn(x, self._grid), self._grid)
        return full[tuple(slice(n) for n in self.image_shape)]

    def _correlate(self, y: np.ndarray) -> np.ndarray:
        kernel = self.symbol.conj()
        if self.boundary == "periodic":
            return fft.irfftn(kernel * fft.rfftn(y), self._grid)
        if self.boundary == "zero":
            full = fft.irfftn(kernel * fft.rfftn(y, self._grid), self._grid)
            return full[tuple(slice(n) for n in self.image_shape)]
        placed = np.zeros(self._grid)
        placed[tuple(slice(low, low + n) for low, n in zip(self._low, self.image_shape, strict=True))] = y
        full = fft.irfftn(kernel * fft.rfftn(placed), self._grid)
        for axis, (n, low, high) in enumerate(zip(self.image_shape, self._low, self._high, strict=True)):
            full = np.moveaxis(_fold(np.moveaxis(full, axis, 0), n, low, high), 0, axis)
        return full


def convolution(
    psf: np.ndarray, image_shape: tuple[int, ...], boundary: Boundary = "reflective"
) -> ConvolutionOperator:
    """Return the convolution of fields of ``image_shape`` with ``psf``.

    Raises
    ------
    InputError
        If the PSF has another number of axes than the image, is larger than it, is zero, complex or not finite.
    """
    if boundary not in get_args(Boundary):
        raise unknown_option("boundary", boundary, get_args(Boundary))
    kernel, shape = np.asarray(psf), tuple(int(n) for n in image_shape)
    if np.iscomplexobj(kernel) or kernel.dtype.kind not in "fiub":
        raise InputError(f"the PSF must be an array of real numbers; got dtype {kernel.dtype}")
    kernel = kernel.astype(np.float64)
    if kernel.ndim != len(shape):
        raise InputError(f"the PSF has {kernel.ndim} axes and the image {len(shape)}: they must agree")
    if any(p > n for p, n in zip(kernel.shape, shape, strict=True)):
        raise InputError(
            f"the PSF {kernel.shape} is larger than the image {shape}: crop the PSF or use a larger image"
        )
    if not np.isfinite(kernel).all() or not np.any(kernel):
        raise InputError("the PSF must be finite and not all zero: it would not let any light through")
    return ConvolutionOperator(kernel, shape, boundary)


def gaussian_psf(sigma: float, dimensions: int = 2, radius: int | None = None) -> np.ndarray:
    """Return a Gaussian PSF of width σ pixels that sums to 1, cut at ``radius`` (4σ rounded up).

    Raises
    ------
    InputError
        If sigma is not a positive number.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        raise InputError(f"a Gaussian PSF needs sigma > 0 pixels; got {sigma!r}")
    reach = int(np.ceil(4 * sigma)) if radius is None else radius
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    line /= line.sum()
    psf = line
    for _ in range(dimensions - 1):
        psf = np.multiply.outer(psf, line)
    return psf


def _fold(field: np.ndarray, n: int, low: int, high: int) -> np.ndarray:
    """Adjoint of symmetric padding along axis 0: what was mirrored comes back to where it came from."""
    out = field[low : low + n].copy()
    if low:
        out[:low] += field[:low][::-1]
    if high:
        out[n - high :] += field[low + n : low + n + high][::-1]
    return out


def _axis_matrix(line: np.ndarray, n: int, boundary: Boundary) -> np.ndarray:
    """The n×n matrix of 1-D convolution: Toeplitz, plus what the boundary brings back in."""
    p, centre = line.size, line.size // 2
    column, row = np.zeros(n), np.zeros(n)
    column[: p - centre] = line[centre:]
    row[: centre + 1] = line[centre::-1]
    T = toeplitz(column, row)
    if boundary == "zero":
        return T
    # entries at offset i − j beyond the edge: j runs over −1 … −(p−1−centre) and n … n+centre−1
    for j in range(-(p - 1 - centre), 0):
        target = n + j if boundary == "periodic" else -1 - j
        i = np.arange(0, min(n, p - centre + j))
        T[i, target] += line[i - j + centre]
    for j in range(n, n + centre):
        target = j - n if boundary == "periodic" else 2 * n - 1 - j
        i = np.arange(max(0, j - centre), n)
        T[i, target] += line[i - j + centre]
    return T
