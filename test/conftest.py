"""What every test stands on."""

import signal

# A job that a shell put into the background ignores SIGINT, and so would everything started by it;
# tests that interrupt something need the signal to mean what it means in a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
