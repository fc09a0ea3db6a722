"""Parts of replay_node: the bag, its timeline and its publishers."""
