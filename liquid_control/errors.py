"""Every error a user can meet, under one base.

Each carries one line that says what was expected and what came; the command line prints that line
and exits with status 2, a node logs it and refuses to activate.
"""


class LiquidControlError(Exception):
    """Base of all errors raised on purpose by this project."""


class ConfigError(LiquidControlError):
    """A value in YAML, in `--set` or on the command line is unknown, mistyped or out of range."""


class ModelError(LiquidControlError):
    """A model folder is missing, damaged, or does not fit the sensors or cell it is used with."""


class ObservationError(LiquidControlError):
    """A sensor reading has the wrong shape, encoding, value or time stamp."""


class CellError(LiquidControlError):
    """A recurrent core was given features, a state, a mask or a dt that do not fit it."""


class OutputError(LiquidControlError):
    """A result could not be written, or a stored file could not be read back."""


class BagError(LiquidControlError):
    """A bag is missing, cannot be read at all, or lacks what is needed of it."""


class DependencyError(LiquidControlError):
    """A package that this command needs is not installed."""


class GraphError(LiquidControlError):
    """A process of the ROS graph did not start, died, or stopped answering."""
