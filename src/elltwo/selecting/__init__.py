"""Which λ: one search over λ, a registry of rules, the same factorization for all of them."""

from elltwo.selecting.registry import RULES, find_rule
from elltwo.selecting.select import select

__all__ = ["RULES", "find_rule", "select"]
