"""Plays video diffusion bundles without PyTorch."""
