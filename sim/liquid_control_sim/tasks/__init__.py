"""Tasks of a flight: evaluation of progress and completion, and the experts that solve them."""
