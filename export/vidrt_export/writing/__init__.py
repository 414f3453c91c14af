"""Files of a bundle: graphs, streamed weights, and their identity."""
