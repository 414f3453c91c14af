"""From a checkpoint to a bundle: torch to ONNX, weights streamed beside the graph."""
