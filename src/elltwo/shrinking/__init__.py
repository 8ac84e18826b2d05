"""What a given λ does: filters, path, exact λ for a wanted length, iterative refinement."""

from elltwo.shrinking.path import Path, path, shrink

__all__ = ["Path", "path", "shrink"]
