"""Passes over rows: the first and those after it, on threads, processes and clusters."""
