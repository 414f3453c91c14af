"""A tiny Stable Video Diffusion that brings a picture of a shape to motion."""
