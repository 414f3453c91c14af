"""Stable Video Diffusion, from a request to frames."""
