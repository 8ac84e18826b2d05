"""LAPACK's bidiagonal reduction, which SciPy ships but does not wrap: gebrd, ormbr, bdsqr.

The function pointers come from the capsules of ``scipy.linalg.cython_lapack``, a documented public
interface, and are called through ctypes; so the same LAPACK that SciPy uses does the work.
Matrices are Fortran-ordered float64; dimensions are 32-bit as in that interface.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import cython_lapack

_TYPES: dict[str, Any] = {"i": ctypes.POINTER(ctypes.c_int), "s": ctypes.c_char_p, "a": ctypes.c_void_p}
_SIGNATURES = {
    "dgebrd": "iiaiaaaaaii",
    "dormbr": "sssiiiaiaaiaii",
    "dbdsqr": "siiiiaaaiaiaiai",
}


@cache
def _function(name: str) -> Any:
    """The LAPACK routine as a ctypes function: every argument is a pointer."""
    capsule = cython_lapack.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None, *(_TYPES[t] for t in _SIGNATURES[name]))(address)


def _call(name: str, *arguments: Any) -> int:
    """Call with integers, characters and float64 arrays; returns LAPACK's info, the last argument."""
    info = ctypes.c_int(0)
    converted: list[Any] = []
    for value in (*arguments, info):
        if isinstance(value, np.ndarray):
            converted.append(value.ctypes.data_as(ctypes.c_void_p))
        elif isinstance(value, str):
            converted.append(value.encode())
        else:
            converted.append(ctypes.byref(value if isinstance(value, ctypes.c_int) else ctypes.c_int(value)))
    _function(name)(*converted)
    if info.value < 0:
        raise ValueError(f"{name}: argument {-info.value} has an illegal value")
    return info.value


@dataclass(frozen=True)
class Bidiagonal:
    """A = Q B Pᵀ with Q and P kept as Householder reflectors in ``packed``.

    Attributes
    ----------
    d : (k,) diagonal of B; e : (k − 1,) its other diagonal; upper : is it above (m ≥ n) or below?
    packed : (m, n) Fortran order; tauq, taup : (k,) scalars of the reflectors.
    """

    d: np.ndarray
    e: np.ndarray
    upper: bool
    packed: np.ndarray
    tauq: np.ndarray
    taup: np.ndarray


def gebrd(A: np.ndarray) -> Bidiagonal:
    """Householder bidiagonalization of A (m, n), which is not overwritten."""
    packed = np.array(A, dtype=np.float64, order="F")
    m, n = packed.shape
    k = min(m, n)
    d, e, tauq, taup = np.empty(k), np.empty(max(k - 1, 1)), np.empty(k), np.empty(k)
    query = np.empty(1)
    _call("dgebrd", m, n, packed, m, d, e, tauq, taup, query, -1)
    work = np.empty(int(query[0]))
    _call("dgebrd", m, n, packed, m, d, e, tauq, taup, work, work.size)
    return Bidiagonal(d, e[: k - 1], m >= n, packed, tauq, taup)


def ormbr(bidiagonal: Bidiagonal, side: str, transpose: bool, C: np.ndarray) -> np.ndarray:
    """Return Q C, Qᵀ C (side ``"Q"``) or P C, Pᵀ C (side ``"P"``) for C (m or n, t)."""
    m, n = bidiagonal.packed.shape
    C = np.array(C, dtype=np.float64, order="F", ndmin=2)
    rows, columns = C.shape
    k = n if side == "Q" else m
    tau = bidiagonal.tauq if side == "Q" else bidiagonal.taup
    trans = "T" if transpose else "N"
    query = np.empty(1)
    head = (side, "L", trans, rows, columns, k, bidiagonal.packed, m, tau, C, max(rows, 1))
    _call("dormbr", *head, query, -1)
    work = np.empty(int(query[0]))
    _call("dormbr", *head, work, work.size)
    return C


def bdsqr(bidiagonal: Bidiagonal, C: np.ndarray | None, vectors: bool = False) -> BidiagonalSvd:
    """Singular values of B by implicit zero-shift QR, carrying only C (k, t) along: C becomes UᵀC.

    Demmel & Kahan, SIAM J. Sci. Stat. Comput. 11 (1990) 873: small singular values come out with
    high relative accuracy with respect to B. With ``vectors`` the right vectors Vᵀ of B come too.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the iteration does not converge.
    """
    k = bidiagonal.d.size
    d, e = bidiagonal.d.copy(), np.append(bidiagonal.e, 0.0)
    C = np.empty((k, 0), order="F") if C is None else np.array(C, dtype=np.float64, order="F")
    Vt = np.eye(k, order="F") if vectors else np.empty((1, 1), order="F")
    work, unused = np.empty(4 * k), np.empty((1, 1))
    uplo, t = ("U" if bidiagonal.upper else "L"), C.shape[1]
    nv = k if vectors else 0
    target = C if t else unused
    head = (uplo, k, nv, 0, t, d, e, Vt, max(nv, 1), unused, 1, target, k if t else 1, work)
    if _call("dbdsqr", *head):
        raise np.linalg.LinAlgError("the bidiagonal QR iteration did not converge")
    return BidiagonalSvd(d, C, Vt if vectors else None)


@dataclass(frozen=True)
class BidiagonalSvd:
    """Singular values s (k,) of B, C (k, t) in its left vectors, and Vᵀ (k, k) if asked for."""

    s: np.ndarray
    C: np.ndarray
    Vt: np.ndarray | None
