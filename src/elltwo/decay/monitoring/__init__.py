"""The monitor: what weight decay does in a run, measured beside predicted."""
