"""Moments files: versioned, safe to load from anywhere, written whole or not at all.

A ``.moments`` file is an uncompressed ``.npz``: one JSON header and plain arrays of doubles, read with
``allow_pickle=False`` after every size and shape has been compared with the header.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from elltwo.errors import DataError
from elltwo.facts.derived import Derived
from elltwo.facts.plan import TablePlan
from elltwo.tables.files import atomic_write
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.forest import Node
from elltwo.tables.moments.levels import Levels
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.sets import FileCard, JobCard, MomentSet

VERSION = 1
KIND = "elltwo moments"
MAX_BYTES = 64 * 2**30  # what a moments file may unpack to
MAX_HEADER = 512 * 2**20


def write_moments(path: str | os.PathLike[str], moments: MomentSet) -> None:
    """Write a set to a file, whole or not at all.

    Raises
    ------
    OutputError
        No folder, no permission, no space; an older file of that name is then untouched.
    """
    arrays: dict[str, np.ndarray] = {}
    nodes = []
    for job, forest in sorted(moments.nodes.items()):
        for node, m in sorted(forest.items()):
            nodes.append({"job": job, "level": node[0], "index": node[1], **_describe(m)})
            arrays |= {f"{len(nodes) - 1}.{name}": array for name, array in _arrays(m)}
    header = {
        "kind": KIND,
        "version": VERSION,
        "plan": moments.plan.to_dict(),
        "folds": moments.rule.to_dict(),
        "derived": [d.to_dict() for d in moments.derived],
        "jobs": [asdict(card) for card in moments.jobs],
        "nodes": nodes,
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    buffer = io.BytesIO()
    named: dict[str, Any] = {"header": np.frombuffer(text, dtype=np.uint8), **arrays}
    np.savez(buffer, **named)
    atomic_write(path, buffer.getvalue())


def _describe(m: MixedMoments) -> dict[str, Any]:
    return {
        "numeric": list(m.numeric),
        "categories": list(m.categories),
        "cap": m.cap,
        "flagged": list(m.flagged),
        "levels": [list(level.labels) for level in m.levels],
        "folded": [sorted(level.folded, key=lambda v: (v is None, v or "")) for level in m.levels],
        "folds": m.folds,
        "left_out": m.left_out,
    }


def _arrays(m: MixedMoments) -> Iterator[tuple[str, np.ndarray]]:
    yield "rows", m.rows
    yield "shift", m.shift
    yield "dense", m.dense
    for c, table in enumerate(m.sums):
        yield f"sums.{c}", table
    for (a, b), table in sorted(m.cross.items()):
        yield f"cross.{a}.{b}", table


def read_moments(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> MomentSet:
    """Read a moments file from a source that need not be trusted.

    Raises
    ------
    DataError
        No such file, not a moments file, another version, damaged, or larger than ``max_bytes``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive, max_bytes)
        with np.load(path, allow_pickle=False) as archive:
            return _load(path, archive)
    except FileNotFoundError:
        raise DataError(f"there is no moments file {os.fspath(path)!r}") from None
    except DataError:
        raise
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError, EOFError, RecursionError) as error:
        raise DataError(
            f"{os.fspath(path)} is not a moments file, or it is damaged ({str(error).splitlines()[0][:120]}): "
            f"make it again with elltwo stats"
        ) from None


def _check_sizes(path: object, archive: zipfile.ZipFile, max_bytes: int) -> None:
    total = sum(entry.file_size for entry in archive.infolist())
    if total > max_bytes:
        raise DataError(f"{path} unpacks to {total:,} bytes, more than the {max_bytes:,} allowed")
    if any(e.compress_type != zipfile.ZIP_STORED for e in archive.infolist()):
        raise DataError(
            f"{path} is compressed, which moments files never are: make it again with elltwo stats"
        )
    if archive.getinfo("header.npy").file_size > MAX_HEADER:
        raise DataError(f"{path} has a header of more than {MAX_HEADER:,} bytes")


def _load(path: object, archive: Any) -> MomentSet:
    text = archive["header"]
    if not isinstance(text, np.ndarray) or text.dtype != np.uint8:
        raise ValueError("its header is not text")
    header = json.loads(text.tobytes())
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise DataError(f"{path} is not a moments file: make one with elltwo stats")
    if header.get("version") != VERSION:
        raise DataError(f"{path} has version {header.get('version')!r}; this elltwo reads version {VERSION}")
    nodes: dict[str, dict[Node, MixedMoments]] = {}
    for i, described in enumerate(header["nodes"]):
        moments = _moments(archive, i, described)
        nodes.setdefault(described["job"], {})[described["level"], described["index"]] = moments
    derived = tuple(Derived.from_dict(d) for d in header["derived"])
    jobs = tuple(_card(job) for job in header["jobs"])
    if not set(nodes) <= {"", *(card.id for card in jobs)}:
        raise ValueError("moments of a job that is not listed")
    return MomentSet(
        TablePlan.from_dict(header["plan"]), FoldRule.from_dict(header["folds"]), jobs, nodes, derived
    )


def _card(job: dict[str, Any]) -> JobCard:
    return JobCard(job["id"], tuple(FileCard(**f) for f in job["files"]), int(job["leaves"]), job["rows"])


def _moments(archive: Any, i: int, described: dict[str, Any]) -> MixedMoments:
    d, K = len(described["numeric"]), int(described["folds"])
    levels = tuple(
        Levels(tuple(labels), frozenset(folded))
        for labels, folded in zip(described["levels"], described["folded"], strict=True)
    )
    D, sizes = 1 + d + len(described["flagged"]), [level.size for level in levels]

    def array(name: str, *shape: int) -> np.ndarray:
        found = archive[f"{i}.{name}"]
        if found.shape != shape or found.dtype.kind not in "fi" or not np.isfinite(found).all():
            raise ValueError(
                f"array {i}.{name} has shape {found.shape} or values that its header does not allow"
            )
        return found

    C = range(len(levels))
    return MixedMoments(
        tuple(described["numeric"]),
        tuple(described["categories"]),
        int(described["cap"]),
        tuple(described["flagged"]),
        levels,
        array("shift", d),
        array("rows", K),
        array("dense", K, D, D),
        tuple(array(f"sums.{c}", K, sizes[c], D) for c in C),
        {(a, b): array(f"cross.{a}.{b}", K, sizes[a], sizes[b]) for a in C for b in C if a < b},
        int(described["left_out"]),
    )
