"""Layers without a state, activations and losses: a file for each family."""
