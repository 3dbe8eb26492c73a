"""Layers, activations and losses: a file for each family."""
