"""One BLAS thread per block: cores are spread over leaves instead."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """A context in which BLAS uses one thread.

    Libraries are looked for once, and again when one that brings its own threads has been imported since: it
    takes milliseconds, as much as a small leaf.
    """
    return _libraries("scipy.linalg" in sys.modules, "torch" in sys.modules).limit(limits=1)


@lru_cache
def _libraries(*loaded: bool) -> ThreadpoolController:
    return ThreadpoolController()
