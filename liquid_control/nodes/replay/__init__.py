"""Parts of `replay_node`: the bag, its timeline, its pace and its publishers."""
