"""The program `liquid-control`: one module a sub-command, heavy imports only where used."""
