"""Recorded flights through a policy: what it would have commanded, compared with what was."""
