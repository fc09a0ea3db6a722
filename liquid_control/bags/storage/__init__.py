"""Read MCAP and sqlite3 files, complete or damaged, as messages in order of log time."""
