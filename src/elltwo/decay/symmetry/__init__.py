"""Multiplicative symmetries of a network, and what follows from them: rebalancing, trunk and heads."""
