"""Command line program `liquid-control`: one module per sub-command, heavy imports on use."""
