"""`python -m vidrt_export` is `build-engines`."""

from vidrt_export.cli import main

main()
