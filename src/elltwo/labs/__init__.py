"""Demonstrations of theory in minutes: what was predicted, beside what was measured."""
