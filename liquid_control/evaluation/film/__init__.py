"""The video of a flight, picture by picture."""
