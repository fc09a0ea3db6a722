"""What a running flight shows to viewers: streams, scene, and a server that never waits for them."""
