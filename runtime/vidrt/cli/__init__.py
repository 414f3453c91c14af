"""The `vidrt` command; each subcommand is a file and imports what it needs when it runs."""
