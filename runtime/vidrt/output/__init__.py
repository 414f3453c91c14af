"""Writes videos and the record that repeats them."""
