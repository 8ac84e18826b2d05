"""What a job is known by: digests of its files, and of the files, columns, folds and parts together."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import blake2b

from elltwo.facts.derived import Derived
from elltwo.facts.plan import TablePlan
from elltwo.tables.files import DataFile, open_input
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.sets import FileCard, kind
from elltwo.tables.reading.parquet import Part

EDGE = 2**16  # bytes of head and tail that identify a file, with
PLACES, PIECE = 64, 2**12  # pieces spread over its middle


def file_card(file: DataFile, data: bytes | None = None) -> FileCard:
    """Name, size, and a digest of head, tail (for Parquet the footer) and pieces of the middle.

    ``data`` are the bytes themselves where they were piped in.
    """
    import pyarrow as pa

    with open_input(file.path) if data is None else pa.BufferReader(data) as stream:
        size = stream.size()
        digest = blake2b(stream.read(EDGE), digest_size=16)
        middle = range(EDGE, size - EDGE, max(PIECE, (size - 2 * EDGE) // PLACES)) if size > 2 * EDGE else ()
        for at in middle:
            stream.seek(at)
            digest.update(stream.read(PIECE))
        if size > EDGE:
            stream.seek(max(EDGE, size - EDGE))
            digest.update(stream.read(EDGE))
    return FileCard(os.path.basename(file.path), size, digest.hexdigest())


def job_id(
    plan: TablePlan,
    rule: FoldRule,
    files: Sequence[FileCard],
    leaves: Sequence[Sequence[Part]],
    derived: Sequence[Derived] = (),
) -> str:
    """The same wherever and whenever the same pass over the same files is planned."""
    what = {
        "columns": [(c.name, kind(c)) for c in (*plan.columns, *plan.targets)],
        "weights": plan.weights,
        "na": sorted(plan.na),
        "max_levels": plan.max_levels,
        "folds": rule.to_dict(),
        "derived": [d.to_dict() for d in derived],
        "files": [(f.size, f.digest) for f in files],
        "leaves": [[(p.row_group, p.first_row) for p in parts] for parts in leaves],
    }
    return blake2b(json.dumps(what).encode(), digest_size=16).hexdigest()
