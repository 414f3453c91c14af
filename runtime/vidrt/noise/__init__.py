"""Random numbers, drawn here and handed to the graphs as inputs."""
