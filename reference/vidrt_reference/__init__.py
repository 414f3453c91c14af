"""The PyTorch reference of each component, one file each, and the loading of its weights."""
