"""Each component: its engine and the pre- and post-processing that belongs to it."""
