"""How the columns of text files are stored while reading, judged from a sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from elltwo.tables.missing import spellings
from elltwo.tables.reading import csv

JUDGED = 5000  # distinct values that are looked at
NUMBER_SHARE = 0.8  # of the distinct values of a text column: from here on, what is no number is a mistake


@dataclass(frozen=True)
class Storage:
    """How the columns of text files are stored while reading: what is a number, what is text with few repeats."""

    numbers: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    na: tuple[str, ...] = field(default_factory=spellings)

    def as_text(self, names: Iterable[str]) -> Storage:
        """The same with some columns kept as text."""
        return replace(self, numbers=self.numbers - frozenset(names))


def storage_of(texts: Sequence[csv.Text], na: Iterable[str] = (), text: Iterable[str] = ()) -> Storage:
    """Decide from a sample which columns of text files are numbers; ``text`` names those that are not."""
    known = spellings(na)
    if not texts:
        return Storage(na=known)
    return judge_cells(sample_cells(texts), texts[0].decimal, known).as_text(text)


def sample_cells(texts: Sequence[csv.Text]) -> Mapping[str, list[str]]:
    """Cells of text files by column: head and strided blocks of up to sixteen files."""
    step = max(1, len(texts) // 16)
    picked = texts[::step]
    cells: dict[str, list[str]] = {name: [] for name in texts[0].names}
    for text in picked:
        rows = csv.sample(text, max(1, csv.BLOCKS // len(picked)))
        for name, column in zip(text.names, zip(*rows, strict=True) if rows else (), strict=False):
            if name in cells:
                cells[name] += column
    return cells


def judge_cells(cells: Mapping[str, list[str]], decimal: str, na: tuple[str, ...]) -> Storage:
    """Which columns of a sample are numbers, and which text repeats too rarely for a dictionary."""
    numbers, plain, padded = set(), set(), dict.fromkeys(na)
    for name, column in cells.items():
        distinct = dict.fromkeys(column)  # in the order of the file: the same judgement every time
        if decimal == "." and _all_numbers([v for v in distinct if v not in padded]):
            numbers.add(name)
            continue
        padded.update(dict.fromkeys(v for v in distinct if v.strip() in padded))
        distinct = {v: None for v in distinct if v not in padded}
        if distinct and number_share(distinct, decimal) >= NUMBER_SHARE:
            numbers.add(name)
        elif len(distinct) > max(1000, len(column) // 2):
            plain.add(name)
    return Storage(frozenset(numbers), frozenset(plain), tuple(padded))


def number_share(distinct: Iterable[str], decimal: str = ".") -> float:
    """The share of the values, or of some spread over them, that are written as plain numbers."""
    values = list(distinct)
    values = values[:: max(1, len(values) // JUDGED)]
    if decimal != ".":
        values = [v.replace(decimal, ".") for v in values]
    return sum(csv.NUMBER.fullmatch(v.strip()) is not None for v in values) / max(len(values), 1)


def _all_numbers(values: list[str]) -> bool:
    """Can pyarrow read them all? It is quicker than the pattern, and stricter."""
    import pyarrow as pa

    try:
        return bool(values) and len(pa.array(values, pa.utf8()).cast(pa.float64())) > 0
    except pa.ArrowInvalid:
        return False
