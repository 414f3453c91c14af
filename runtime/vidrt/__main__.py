"""`python -m vidrt` is `vidrt`."""

from vidrt.cli.main import main

main()
