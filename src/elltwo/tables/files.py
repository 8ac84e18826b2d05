"""Names of files in, bytes out: what a source stands for, how a file opens, and how one is written whole."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from elltwo.errors import DataError, OutputError
from elltwo.tables.remote import filesystem_of, is_remote, list_remote

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv", ".dat": "csv",
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
READS = "CSV or TSV (plain or .gz), Parquet, Arrow and Feather"


@dataclass(frozen=True)
class DataFile:
    """One file of a source: its path or address, its format, and its hive partition values.

    ``groups`` are the rows of each row group, once a Parquet file has been looked at.
    """

    path: str
    format: str
    partition: tuple[tuple[str, str], ...] = ()
    groups: tuple[int, ...] | None = None

    @property
    def short(self) -> str:
        """The name that messages use."""
        return "standard input" if self.path == "-" else self.path


def atomic_write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file whole or not at all: a temporary file in the same folder, flushed to disk, then renamed.

    Parameters
    ----------
    path : path
        Where the file goes; an existing file is replaced and keeps its permissions.
    content : bytes or str
        Text is written as UTF-8, newlines as they are.

    Raises
    ------
    OutputError
        If the folder does not exist, may not be written, or is full. The old file is then untouched.
    """
    target = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = ""
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        if target.exists() and not target.is_file():  # /dev/stdout, a named pipe: nothing to rename
            target.write_bytes(data)
            return
        target = target.resolve()
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _mode(target: Path) -> int:
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _unwritable(path: object, error: OSError) -> OutputError:
    if isinstance(error, FileNotFoundError):
        what, remedy = "its folder does not exist", "make the folder or choose another one"
    elif isinstance(error, PermissionError):
        what, remedy = "permission is denied", "choose a folder that you may write to"
    elif error.errno in (28, 122):
        what, remedy = "the disk is full", "free some space or choose another disk"
    elif isinstance(error, (IsADirectoryError, NotADirectoryError)):
        what, remedy = "it, or part of its path, is not what the name says", "give the name of a file"
    else:
        what, remedy = (error.strerror or str(error)).lower(), "choose another place"
    return OutputError(f"cannot write {path}: {what}; {remedy}. No part of the file was written.")


def list_files(source: object) -> tuple[DataFile, ...]:
    """Every file that a path, address, glob, folder or list of them stands for, in a stable order.

    Folders are read recursively; ``key=value`` folder names become columns (hive partitions); names that
    begin with ``.`` or ``_`` are left out. Files keep the order of a list and are sorted inside a glob or folder.

    Raises
    ------
    DataError
        If nothing is there, nothing in it can be read, or the format is unknown.
    """
    if isinstance(source, (str, os.PathLike)):
        return _list_one(os.fspath(source))
    if isinstance(source, Sequence) and source and all(isinstance(s, (str, os.PathLike)) for s in source):
        return tuple(f for s in source for f in _list_one(os.fspath(s)))
    raise DataError(
        f"a source is a path, a list of paths or a data frame, and this is {type(source).__name__}"
    )


def _list_one(path: str) -> tuple[DataFile, ...]:
    if path == "-":
        return (DataFile("-", "unknown"),)
    if is_remote(path) and (below := list_remote(path)) is not None:
        if path.endswith("/"):
            return _tables(path, below, path)
        return tuple(DataFile(p, format_of(p), _partition(p.partition("://")[2])) for p in below)
    if is_remote(path) or os.path.isfile(path):
        return (DataFile(path, format_of(path)),)
    if os.path.isdir(path):
        return _folder(path)
    if glob.has_magic(path):
        found = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
        if not found:
            raise DataError(
                f"no file matches {path!r}: check the pattern, and quote it so that the shell leaves it alone"
            )
        return tuple(DataFile(p, format_of(p), _partition(p)) for p in found)
    if os.path.exists(path):  # a pipe or device: read once, like standard input
        return (DataFile(path, "unknown"),)
    raise DataError(f"there is no file {path!r}{_nearby(path)}")


def _nearby(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f": its folder {folder!r} does not exist"
    from difflib import get_close_matches

    close = get_close_matches(os.path.basename(path), os.listdir(folder), n=1)
    return (
        f": did you mean {os.path.join(os.path.dirname(path), close[0])!r}?" if close else ": check the name"
    )


def _folder(path: str) -> tuple[DataFile, ...]:
    return _tables(path, sorted(os.path.join(r, n) for r, _, names in os.walk(path) for n in names), path)


def _tables(path: str, below: Sequence[str], base: str) -> tuple[DataFile, ...]:
    """The tables among the files below a folder, hidden ones left out; ``key=value`` names are partitions."""
    inside = {p: p[len(base) :].lstrip("/" + os.sep) for p in below}
    found = [
        p
        for p in below
        if suffix_format(p) and not any(n.startswith((".", "_")) for n in Path(inside[p]).parts)
    ]
    if not found:
        raise DataError(f"the folder {path!r} holds no table: elltwo reads {READS}")
    files = tuple(DataFile(p, format_of(p), _partition(inside[p])) for p in found)
    if len(formats := sorted({f.format for f in files})) > 1:
        raise DataError(
            f"the folder {path!r} mixes {' and '.join(formats)} files: name one kind, as in '{path}/*.parquet'"
        )
    return files


def _partition(path: str) -> tuple[tuple[str, str], ...]:
    pieces = (p.partition("=") for p in Path(path).parts[:-1])
    return tuple((key, value) for key, sep, value in pieces if sep and re.fullmatch(r"[\w .-]+", key))


def suffix_format(path: str) -> str | None:
    """The format that a file's name promises, or None."""
    name = path.lower()
    for compressed in (".gz", ".bz2", ".zst"):
        name = name.removesuffix(compressed)
    return SUFFIXES.get(os.path.splitext(name)[1])


def format_of(path: str) -> str:
    """The format of a file by its first bytes, or by its name when it is elsewhere."""
    if is_remote(path):
        return suffix_format(path) or "csv"
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise unreadable(path, error) from None
    if suffix_format(path) is None and b"\0" in start and not start.startswith((b"PAR1", b"ARROW1")):
        raise DataError(f"{path!r} is no table: elltwo reads {READS}")
    if suffix_format(path) in ("parquet", "arrow"):
        return str(suffix_format(path))
    return format_of_bytes(start)


def format_of_bytes(start: bytes) -> str:
    """The format of a table by its first bytes; what is not Parquet or Arrow is text."""
    if start.startswith(b"PAR1"):
        return "parquet"
    return "arrow" if start.startswith(b"ARROW1") else "csv"


def open_input(path: str) -> pa.NativeFile:
    """Open a local file or an address (through pyarrow.fs, else fsspec) for reading at any position."""
    import pyarrow as pa

    try:
        if is_remote(path):
            filesystem, inside = filesystem_of(path)
            return filesystem.open_input_file(inside)
        return pa.OSFile(path, "rb")
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from None


def unreadable(path: str, error: Exception) -> DataError:
    """One sentence for a file that does not open."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"there is no file {path!r}")
    if isinstance(error, PermissionError):
        return DataError(f"{path!r} may not be read: ask for permission or copy it to a place of yours")
    return DataError(f"{path!r} cannot be opened: {error}")


def read_stdin(stream: Iterable[bytes] | None = None) -> bytes:
    """Every byte of standard input; DataError if there is none."""
    data = sys.stdin.buffer.read() if stream is None else b"".join(stream)
    if not data:
        raise DataError("standard input is empty: pipe a table into it, as in `cat data.csv | elltwo fit -`")
    return data


def fingerprint(path: str) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds: whether a file is still the one that was planned."""
    if is_remote(path):
        with open_input(path) as file:
            return file.size(), 0
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
