"""One module for each backend: how a traced component becomes its engine."""
