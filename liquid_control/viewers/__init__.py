"""What a running flight shows to viewers: scene, feed, and a server that never waits."""
