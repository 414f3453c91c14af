"""How long each phase of a run takes on this machine, how much memory, and which to look at first."""
