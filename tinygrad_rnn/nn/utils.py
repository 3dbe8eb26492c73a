"""Helpers for training: clipping, and all parameters as one vector. torch.nn.utils's names."""

from .clip import clip_grad_norm_, clip_grad_value_, get_total_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]
