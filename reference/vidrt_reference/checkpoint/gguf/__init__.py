"""GGUF files: their header, their block formats, and a T5 encoder stored in one."""
