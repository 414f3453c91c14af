"""Stable Video Diffusion's original files: what their tensors are called, and what their shapes tell."""
