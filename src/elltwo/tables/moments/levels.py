"""Dictionaries of category levels that grow during a pass, merge by label and are capped aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elltwo.errors import DataError

MAX_LEVELS = 1000  # levels that a category keeps by default; the rest share "other"
HEADROOM = 2  # during the pass a dictionary may hold this many times its cap before it is cut
MAX_FOLDED = 200_000  # labels remembered as folded into "other"; beyond it the column is an identifier
OTHER = 0  # every category's slot 0 is "other", empty unless a cap was reached


@dataclass(frozen=True)
class Levels:
    """The levels of one category, as known so far.

    Slot 0 of every table that these index is "other"; slot i + 1 belongs to ``labels[i]``.

    Attributes
    ----------
    labels : labels in order of first appearance; None is the missing value.
    folded : labels whose rows went to "other"; they never get a slot again, so that a level that
        is listed has all its rows.
    """

    labels: tuple[str | None, ...] = ()
    folded: frozenset[str | None] = frozenset()

    @property
    def size(self) -> int:
        """Slots, "other" included."""
        return len(self.labels) + 1


def union(a: Levels, b: Levels, name: str) -> tuple[Levels, np.ndarray, np.ndarray]:
    """Levels of both, and where a's and b's slots go: a level folded in either is folded in both.

    Returns
    -------
    levels, map_a (a.size,), map_b (b.size,)

    Raises
    ------
    DataError
        When more than ``MAX_FOLDED`` labels had to be folded: the column identifies rows.
    """
    folded = a.folded | b.folded
    refuse_identifier(len(folded), name)
    known = dict.fromkeys(label for label in (*a.labels, *b.labels) if label not in folded)
    levels = Levels(tuple(known), folded)
    slot = {label: i + 1 for i, label in enumerate(known)}
    return levels, _slots(a, slot), _slots(b, slot)


def _slots(levels: Levels, slot: dict[str | None, int]) -> np.ndarray:
    return np.array([OTHER, *(slot.get(label, OTHER) for label in levels.labels)], dtype=np.intp)


def most_frequent(labels: Sequence[str | None], weight: np.ndarray, keep: int) -> list[int]:
    """Positions of the ``keep`` heaviest labels, ties broken by label, in their present order."""
    order = sorted(range(len(labels)), key=lambda i: (-weight[i], label_key(labels[i])))
    return sorted(order[:keep])


def label_key(label: str | None) -> tuple[bool, str]:
    """Sort key of a label: text order, the missing value last."""
    return (label is None, label or "")


def cut(levels: Levels, weight: np.ndarray, keep: int, name: str) -> tuple[Levels, np.ndarray]:
    """Keep the ``keep`` heaviest levels, fold the rest into "other".

    Parameters
    ----------
    weight : (levels.size,) weight of each slot.

    Returns
    -------
    levels, map (levels.size,) : the levels kept and the new slot of every old one.
    """
    kept = most_frequent(levels.labels, weight[1:], keep)
    chosen = set(kept)
    folded = levels.folded | {label for i, label in enumerate(levels.labels) if i not in chosen}
    refuse_identifier(len(folded), name)
    mapping = np.zeros(levels.size, dtype=np.intp)
    mapping[np.asarray(kept, dtype=np.intp) + 1] = np.arange(1, len(kept) + 1)
    return Levels(tuple(levels.labels[i] for i in kept), folded), mapping


def refuse_identifier(folded: int, name: str) -> None:
    """Refuse a category that has more levels than anyone can want coefficients for."""
    if folded > MAX_FOLDED:
        raise DataError(
            f"category {name!r} has more than {MAX_FOLDED:,} rare levels: it seems to identify rows; "
            f"leave it out (--drop {name}) or group its values first"
        )


class Book:
    """A growing dictionary: labels of each batch in, slots out."""

    def __init__(self, name: str, cap: int = MAX_LEVELS) -> None:
        self.name, self.cap = name, cap
        self.labels: list[str | None] = []
        self.folded: frozenset[str | None] = frozenset()
        self._slot: dict[str | None, int] = {}
        self._coded: Sequence[str] = ()
        self._table = np.zeros(0, dtype=np.intp)

    @property
    def size(self) -> int:
        return len(self.labels) + 1

    @property
    def levels(self) -> Levels:
        return Levels(tuple(self.labels), self.folded)

    @property
    def overfull(self) -> bool:
        return len(self.labels) > HEADROOM * self.cap

    def encode(self, codes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """(n,) slots of batch codes: i means ``labels[i]``, −1 a missing value, −2 "other".

        Only labels that occur in the batch enter the dictionary, so it does not depend on what a
        file's own dictionary lists.
        """
        table = self._known(labels)
        slots = table.take(codes + 2, mode="clip")
        if slots.min(initial=0) < 0:
            for code in np.unique(codes[slots < 0]):
                table[code + 2] = self._of(None if code < 0 else labels[code])
            slots = table.take(codes + 2, mode="clip")
        return slots

    def _known(self, labels: Sequence[str]) -> np.ndarray:
        """Slots by code + 2, −1 where the label has not been looked up; kept while the reader's list grows."""
        if labels is not self._coded:
            self._coded, self._table = labels, np.array([OTHER, -1], dtype=np.intp)
        fresh = np.full(len(labels) + 2 - self._table.size, -1, dtype=np.intp)
        self._table = np.concatenate([self._table, fresh]) if fresh.size else self._table
        return self._table

    def _of(self, label: str | None) -> int:
        slot = self._slot.get(label)
        if slot is None:
            slot = OTHER
            if label not in self.folded:
                self.labels.append(label)
                slot = len(self.labels)
            self._slot[label] = slot
        return slot

    def cut(self, weight: np.ndarray) -> np.ndarray:
        """Fold all but the ``cap`` heaviest levels; returns the new slot of every old one."""
        levels, mapping = cut(self.levels, weight, self.cap, self.name)
        self.labels, self.folded = list(levels.labels), levels.folded
        self._slot = {label: i + 1 for i, label in enumerate(self.labels)}
        self._coded = ()
        return mapping
