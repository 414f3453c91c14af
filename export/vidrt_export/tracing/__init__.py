"""From a PyTorch module to an ONNX graph that has no weights yet."""
