"""Pictures in and out: grey and colour, 8 and 16 bits, as floats in [0, 1]."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elltwo.errors import DataError, InputError
from elltwo.tables.files import atomic_write

_LEVELS = {"L": 255.0, "RGB": 255.0, "RGBA": 255.0, "LA": 255.0, "I;16": 65535.0}
_FORMATS = {
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
}


@dataclass(frozen=True)
class Picture:
    """A picture as numbers.

    Attributes
    ----------
    pixels : (height, width, channels) floats in [0, 1] (a float TIFF may go beyond).
    mode : Pillow's mode it was read in and is written in: L, LA, RGB, RGBA, I;16 or F.
    opacity : (height, width) or None: the alpha channel, kept as it is.
    """

    pixels: np.ndarray
    mode: str
    opacity: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.shape[0], self.pixels.shape[1]


def read_picture(path: str | Path) -> Picture:
    """Read a picture file.

    Raises
    ------
    DataError
        If the file is missing, is no picture, is truncated, or holds NaN.
    """
    from PIL import Image, UnidentifiedImageError

    if not Path(path).is_file():
        raise DataError(f"{path}: no such picture; check the name")
    try:
        with Image.open(path) as file:
            _refuse_deep_colour(path, file)
            file.load()
            image: Any = _plain_mode(file)
            values = np.asarray(image)
            mode = image.mode
    except UnidentifiedImageError:
        raise DataError(f"{path}: not a picture that can be read; use PNG, TIFF, JPEG, BMP or WebP") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: the picture is damaged or truncated ({error}); save it again") from None
    return _from_values(path, values, mode)


def write_picture(path: str | Path, picture: Picture) -> None:
    """Write a picture in the mode it has, the format by the file's suffix; whole or not at all.

    Raises
    ------
    InputError
        If the suffix names no format that can hold the picture.
    """
    from PIL import Image

    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"{path}: write the picture as one of {', '.join(_FORMATS)}")
    image = Image.fromarray(to_values(picture))
    if picture.mode in ("I;16", "F") and _FORMATS[suffix] not in ("PNG", "TIFF"):
        raise InputError(f"{path}: {_FORMATS[suffix]} cannot hold this depth; write .png or .tif")
    if picture.mode == "F" and _FORMATS[suffix] != "TIFF":
        raise InputError(f"{path}: only TIFF holds floating-point pixels; write .tif")
    if _FORMATS[suffix] == "JPEG" and image.mode in ("RGBA", "LA"):
        image = image.convert(image.mode[:-1])
    buffer = io.BytesIO()
    image.save(buffer, _FORMATS[suffix])
    atomic_write(path, buffer.getvalue())


def to_values(picture: Picture) -> np.ndarray:
    """The array Pillow takes: clipped to the range, rounded to the depth of the mode."""
    if picture.mode == "F":
        return picture.pixels[:, :, 0].astype(np.float32)
    top = _LEVELS[picture.mode]
    kind = np.uint16 if picture.mode == "I;16" else np.uint8
    values = np.rint(np.clip(picture.pixels, 0, 1) * top).astype(kind)
    if picture.opacity is not None:
        values = np.dstack([values, np.rint(picture.opacity * top).astype(kind)])
    return values[:, :, 0] if values.shape[2] == 1 else values


def preview(picture: Picture, largest: int = 640) -> bytes:
    """An 8-bit JPEG of high quality, no larger than ``largest`` pixels on a side, for a page."""
    from PIL import Image

    pixels = np.clip(picture.pixels, 0, 1)
    small = replace(picture, pixels=pixels, mode="L" if pixels.shape[2] == 1 else "RGB", opacity=None)
    image = Image.fromarray(to_values(small))
    image.thumbnail((largest, largest))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def _plain_mode(file: Any) -> Any:
    """Palettes, bitmaps, CMYK and 32-bit integers in a mode that is numbers."""
    if file.mode in (*_LEVELS, "F"):
        return file
    if file.mode in ("I", "I;16B", "I;16L", "I;16N"):
        return file.convert("I")
    if file.mode == "P":
        return file.convert("RGBA" if "transparency" in file.info else "RGB")
    return file.convert("L" if file.mode == "1" else "RGB")


def _refuse_deep_colour(path: str | Path, file: Any) -> None:
    """A colour PNG of 16 bits is read by Pillow as 8 bits, silently; its header says what it was."""
    if file.format != "PNG" or file.mode not in ("RGB", "RGBA"):
        return
    with open(path, "rb") as raw:
        header = raw.read(26)
    if len(header) == 26 and header[24] == 16:
        raise DataError(
            f"{path}: a colour PNG with 16 bits per channel, which would lose half its depth here; "
            "split it into three 16-bit grey pictures, or convert it to 8 bits"
        )


def _from_values(path: str | Path, values: np.ndarray, mode: str) -> Picture:
    if values.size == 0:
        raise DataError(f"{path}: the picture has no pixels")
    if mode == "I":
        if values.min() < 0 or values.max() > 65535:
            raise DataError(f"{path}: integer pixels outside 0..65535; convert it to 16 bits or float TIFF")
        mode = "I;16"
    if mode == "F":
        if not np.isfinite(values).all():
            raise DataError(f"{path}: the picture holds NaN or infinity; replace those pixels")
        return Picture(values.astype(float)[:, :, None], "F")
    scaled = values.astype(float) / _LEVELS[mode]
    scaled = scaled[:, :, None] if scaled.ndim == 2 else scaled
    if mode in ("RGBA", "LA"):
        return Picture(scaled[:, :, :-1], mode, scaled[:, :, -1])
    return Picture(scaled, mode)
