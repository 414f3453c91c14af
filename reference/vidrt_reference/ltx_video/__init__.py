"""LTX-Video: its transformer and both halves of its VAE."""
