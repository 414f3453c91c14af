"""Engines opened by a backend: named arrays in, named arrays out."""
