"""The number of every row in the whole source, before it is read: folds depend on it, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from elltwo.facts.plan import TablePlan
from elltwo.tables.folds import BALANCED_BELOW
from elltwo.tables.read import storage_from
from elltwo.tables.reading.counting import RowCount, count_rows, countable, in_pieces, text_size
from elltwo.tables.reading.csv import Text
from elltwo.tables.reading.parquet import Part
from elltwo.tables.reading.readers import Source, parts, raws


def numbered(source: Source, plan: TablePlan, whole: bool = False) -> tuple[Source, tuple[Part, ...]]:
    """Parts with the number of their first row in the whole source; and the source, if counting taught more of it.

    Parquet and Arrow say how many rows they hold. Text files are counted, but for the last one, which is counted no
    further than to where folds no longer depend on the number of rows, unless ``whole`` is asked for or it is so large
    that it is read in pieces.
    """
    found = parts(source)
    if source.kind != "csv":
        return source, tuple(part for part in found if part.rows != 0)
    out: list[Part] = []
    texts, at = [], 0
    for part, text, all_of_it in zip(found, source.texts, _to_their_end(source, whole), strict=True):
        count = _count(source, plan, part, text, None if all_of_it else max(BALANCED_BELOW - at, 0))
        out += _pieces(replace(part, first_row=at), count)
        texts.append(replace(text, quoted=text.quoted or count.quoted))
        at += count.rows
    return replace(source, texts=tuple(texts)), tuple(out)


def bytes_to_count(source: Source, whole: bool = False) -> int:
    """Bytes of text that `numbered` counts to their end, before a row is read."""
    if source.kind != "csv":
        return 0
    counted = zip(source.texts, _to_their_end(source, whole), strict=True)
    return sum(text_size(text) for text, all_of_it in counted if all_of_it)


def _to_their_end(source: Source, whole: bool) -> list[bool]:
    """Which text files are counted to their end."""
    last = len(source.texts) - 1
    return [whole or i < last or in_pieces(text) for i, text in enumerate(source.texts)]


def _count(source: Source, plan: TablePlan, part: Part, text: Text, stop: int | None) -> RowCount:
    """Rows of a text file: its lines, or by reading it where a line break is more than one byte."""
    if countable(text):
        return count_rows(text, stop)
    batches = raws(source, source.names[:1], storage_from(plan).as_text(source.names), only=[part])
    return RowCount(sum(raw.arrow.num_rows for raw in batches), True, 1.0, False)


def _pieces(part: Part, count: RowCount) -> list[Part]:
    """A text file as it was counted: whole, or cut where its marks are."""
    if not count.marks:
        return [replace(part, rows=count.rows if count.whole else None, about=count.about)]
    rows = pairwise([0, *(mark.rows for mark in count.marks), count.rows])
    bytes_ = pairwise([0, *(mark.byte for mark in count.marks), None])
    return [
        replace(
            part,
            first_row=(part.first_row or 0) + first,
            first_in_file=first,
            rows=last - first,
            begin=begin or 0,
            end=end,
        )
        for (first, last), (begin, end) in zip(rows, bytes_, strict=True)
    ]
