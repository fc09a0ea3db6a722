"""Parts of recorder_node: subscriptions and parameters."""
