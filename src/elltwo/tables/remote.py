"""Addresses such as ``s3://…``: their file systems, through pyarrow.fs or fsspec, and the files below them."""

from __future__ import annotations

import re
from typing import Any

from elltwo.errors import DataError


def is_remote(path: str) -> bool:
    """Whether a path is an address such as ``s3://…``."""
    return re.match(r"^[a-z][a-z0-9+.-]+://", path) is not None


def filesystem_of(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path inside it.

    Raises
    ------
    DataError
        Neither pyarrow nor fsspec knows it.
    """
    import pyarrow as pa
    from pyarrow import fs

    try:
        return fs.FileSystem.from_uri(address)
    except pa.ArrowInvalid:
        protocol, _, inside = address.partition("://")
    try:
        import fsspec
    except ImportError:
        raise DataError(f"reading {protocol}:// needs fsspec: run pip install fsspec") from None
    try:
        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(protocol))), inside
    except (ValueError, ImportError) as error:
        raise DataError(f"{protocol}:// cannot be read: {error}") from None


def list_remote(address: str) -> list[str] | None:
    """Addresses of the files that one with ``*`` matches, or below one that ends in ``/``; None for a plain file.

    ``*`` stops at a ``/``, ``**`` does not.

    Raises
    ------
    DataError
        Nothing is there.
    """
    if "*" not in address and not address.endswith("/"):
        return None
    import pyarrow as pa
    from pyarrow import fs

    try:
        filesystem, inside = filesystem_of(address.rstrip("/"))
        base = inside.partition("*")[0].rpartition("/")[0] if "*" in inside else inside
        found = filesystem.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{address!r} cannot be listed: {error}") from None
    wanted = _pattern(inside) if "*" in inside else re.compile(".*", re.S)
    paths = sorted(i.path for i in found if i.is_file and wanted.fullmatch(i.path.lstrip("/")))
    if not paths:
        raise DataError(f"no file matches {address!r}: check the address and your rights to list it")
    protocol = address.partition("://")[0]
    rooted = inside.startswith("/")
    return [f"{protocol}://{path if rooted else path.lstrip('/')}" for path in paths]


def _pattern(inside: str) -> re.Pattern[str]:
    """The pattern of paths, without a leading ``/``."""
    pieces = re.split(r"(\*\*/?|\*)", inside.lstrip("/"))
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    return re.compile("".join(wild.get(piece, re.escape(piece)) for piece in pieces), re.S)
