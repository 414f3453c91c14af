"""Pictures and videos that a run of LTX-Video is conditioned on: reading, preparing, encoding, and their tokens."""
