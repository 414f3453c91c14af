"""What checkpoints look like on disk, each turned into parts that can be built."""
