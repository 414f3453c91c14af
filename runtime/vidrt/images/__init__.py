"""Pictures to begin from: reading them, fitting them to a video, preparing them for CLIP."""
