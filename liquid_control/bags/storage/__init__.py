"""Files as they lie on disk: MCAP and sqlite3, whole or damaged, as messages in order of time."""
