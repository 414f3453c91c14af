"""LoRA: files that change a model by products of two narrow matrices, merged into its weights."""
