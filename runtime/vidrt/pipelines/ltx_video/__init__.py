"""LTX-Video, from a request to frames."""
