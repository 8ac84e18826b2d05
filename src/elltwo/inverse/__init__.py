"""Inverse problems: one call for arrays, structure and operators; and the classic test problems."""

from elltwo.inverse import testproblems
from elltwo.inverse.face import reconstruct
from elltwo.inverse.reconstruction import Reconstruction

__all__ = ["Reconstruction", "reconstruct", "testproblems"]
