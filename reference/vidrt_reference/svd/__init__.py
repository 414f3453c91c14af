"""Stable Video Diffusion: its image encoder, its spatio-temporal UNet and both halves of its VAE."""
