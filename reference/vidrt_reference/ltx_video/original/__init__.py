"""LTX-Video's official files: what their tensors are called, and what their configuration or their shapes tell."""
