"""The event-based XOR: a data set and a training that `04_event_based_xor.py` puts together."""
