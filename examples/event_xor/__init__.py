"""Data set and training of the event-based XOR for `04_event_based_xor.py`."""
