"""The recipe calculator: what a weight decay means in a run, and how to carry it to another. No torch."""
