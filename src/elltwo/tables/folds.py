"""Which fold every row belongs to: the same answer for a frame in memory, a stream, and any number of workers."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from elltwo.errors import DataError, UsageError

BALANCED_BELOW = (
    100_000  # rows: below, folds are a balanced permutation; from here on, a hash of the row number
)
_GOLDEN, _MIX1, _MIX2 = (np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def splitmix64(keys: np.ndarray) -> np.ndarray:
    """Steele, Lea and Flood's finalizer (OOPSLA 2014): a bijection of 64-bit numbers that mixes every bit."""
    with np.errstate(over="ignore"):
        z = np.add(keys, _GOLDEN, dtype=np.uint64)
        shifted = np.empty_like(z)  # in place from here on: a pass does this for every row
        for bits, factor in ((30, _MIX1), (27, _MIX2), (31, None)):
            z ^= np.right_shift(z, np.uint64(bits), out=shifted)
            if factor is not None:
                z *= factor
    return z


def hash_folds(keys: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Fold (n,) of 64-bit keys: floor(k · splitmix64(key ⊕ splitmix64(seed)) / 2⁶⁴), from the top 32 bits."""
    salt = splitmix64(np.array([seed % 2**64], dtype=np.uint64))[0]
    mixed = splitmix64(np.asarray(keys, dtype=np.uint64) ^ salt)
    mixed >>= np.uint64(32)
    mixed *= np.uint64(k)
    mixed >>= np.uint64(32)
    return mixed.view(np.int64)


def row_folds(first_row: int, rows: int, k: int, seed: int = 0) -> np.ndarray:
    """Hash folds of consecutive global row numbers: independent of how the table is cut."""
    return hash_folds(np.arange(first_row, first_row + rows, dtype=np.uint64), k, seed)


def group_keys(labels: Iterable[str]) -> np.ndarray:
    """A 64-bit key per label that depends on the label's text alone."""
    digests = (blake2b(str(v).encode(), digest_size=8).digest() for v in labels)
    return np.array([int.from_bytes(d, "little") for d in digests], dtype=np.uint64)


def fold_ids(
    n: int,
    k: int,
    *,
    seed: int = 0,
    groups: np.ndarray | None = None,
    column: np.ndarray | None = None,
    contiguous: bool = False,
) -> np.ndarray:
    """The fold (n,) of every row, an int from 0.

    Parameters
    ----------
    n : int
        Rows.
    k : int
        Folds; not used with ``column``.
    seed : int
        Below 1e5 rows the folds are those of ``KFold(k, shuffle=True, random_state=seed)``; from there on
        `hash_folds` of the row number.
    groups : (n,) array or None
        Rows of one group stay together: below 1e5 rows as ``GroupKFold(k)`` (largest group to the emptiest
        fold), from there on by hash of the group's key (uint64 keys are taken as they are).
    column : (n,) array or None
        Folds given by the user; their labels are sorted (as numbers if they are numbers) and counted from 0.
    contiguous : bool
        k runs of rows in order, for data ordered in time.

    Raises
    ------
    UsageError
        If two of ``groups``, ``column`` and ``contiguous`` are given, or k is impossible.
    DataError
        If a fold would be empty.
    """
    if sum((groups is not None, column is not None, contiguous)) > 1:
        raise UsageError("choose one of a group column, a fold column and contiguous folds")
    if column is not None:
        return _given(np.asarray(column), n)
    if k < 2:
        raise UsageError(f"cross-validation needs at least 2 folds, and {k} were asked for: use --folds 5")
    if groups is not None:
        return _grouped(np.asarray(groups), n, k, seed)
    if k > n:
        raise DataError(f"{k} folds were asked for, and there are {n} rows: ask for at most {n} folds")
    if contiguous:
        return np.repeat(np.arange(k), _sizes(n, k))
    return balanced_folds(n, k, seed) if n < BALANCED_BELOW else row_folds(0, n, k, seed)


def _sizes(n: int, k: int) -> np.ndarray:
    return n // k + (np.arange(k) < n % k)


def balanced_folds(n: int, k: int, seed: int) -> np.ndarray:
    """The test folds of scikit-learn's ``KFold(k, shuffle=True, random_state=seed)``."""
    order = np.arange(n)
    np.random.RandomState(seed % 2**32).shuffle(order)
    folds = np.empty(n, dtype=np.int64)
    folds[order] = np.repeat(np.arange(k), _sizes(n, k))
    return folds


def _grouped(groups: np.ndarray, n: int, k: int, seed: int) -> np.ndarray:
    _right_length(groups, n, "groups")
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < k:
        raise DataError(
            f"{k} folds were asked for, and there are {len(names)} groups: ask for at most {len(names)}"
        )
    if n >= BALANCED_BELOW:
        keys = names if names.dtype == np.uint64 else group_keys(names)
        fold = hash_folds(keys, k, seed)
        if len(np.unique(fold)) < k:
            raise DataError(
                f"hashing {len(names)} groups into {k} folds left one empty: ask for fewer folds, or try another --seed"
            )
        return fold[member]
    sizes = np.bincount(member)
    load, fold = np.zeros(k, dtype=np.int64), np.empty(len(names), dtype=np.int64)
    for group in np.argsort(sizes, kind="stable")[::-1]:
        fold[group] = lightest = int(np.argmin(load))
        load[lightest] += sizes[group]
    return fold[member]


def _given(column: np.ndarray, n: int) -> np.ndarray:
    _right_length(column, n, "fold labels")
    if column.dtype.kind == "f" and np.isnan(column).any():
        raise DataError(f"row {int(np.argmax(np.isnan(column))) + 1} has no fold: every row needs one")
    names, member = np.unique(column, return_inverse=True)
    if len(names) < 2:
        raise DataError("the fold column has one value: cross-validation needs at least two folds")
    try:
        order = np.argsort(np.argsort(names.astype(float)))
    except ValueError:
        return member.astype(np.int64)
    return order[member].astype(np.int64)


def _right_length(values: np.ndarray, n: int, what: str) -> None:
    if values.shape != (n,):
        raise DataError(f"there are {n} rows and {what} of shape {values.shape}: give one for each row")
