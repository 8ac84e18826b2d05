"""Prove by numbers: float64 experiments, random backward passes, scale invariance and dead parameters."""
