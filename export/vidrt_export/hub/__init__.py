"""Checkpoints from the Hugging Face hub: only the files that are needed, resumed and checked, in its own cache."""
