"""λ chosen for a network, by rules that cost nothing, the evidence, or a validation stream."""
