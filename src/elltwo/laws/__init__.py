"""Closed forms without data: shrink factors, conventions of strength, the laws of weight decay."""
