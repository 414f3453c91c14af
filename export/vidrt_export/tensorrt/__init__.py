"""TensorRT and TensorRT for RTX: graphs compiled to plans, each in a process of its own."""
