"""Parts of `recorder_node`: subscriptions, parameters, message types."""
