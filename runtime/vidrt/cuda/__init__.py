"""CUDA without PyTorch: memory, streams, graphs and the one kernel that the runtime has of its own."""
