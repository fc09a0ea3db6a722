"""Errors that users can meet, with one base class.

Each message is one line with the expected and the received value. The command line prints it and
exits with status 2; a node logs it and refuses to activate.
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
    """Features, state, mask or dt do not fit the recurrent core that received them."""


class OutputError(LiquidControlError):
    """A result could not be written, or a stored file could not be read back."""


class BagError(LiquidControlError):
    """A bag is missing, cannot be read, or lacks required data."""


class DependencyError(LiquidControlError):
    """A package that this command needs is not installed."""


class AutopilotError(LiquidControlError):
    """An autopilot cannot be reached, is not the expected one, or refuses a request."""


class CertificateError(LiquidControlError):
    """A model cannot be certified, or a certificate does not hold for it."""


class GraphError(LiquidControlError):
    """A process of the ROS graph did not start, ended early, or stopped responding."""


def error_line(output: str) -> str:
    """Return the last error line of a process's output, or else its last line.

    A crash that `faulthandler` wrote becomes its cause and the innermost Python line.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    crashes = [at for at, line in enumerate(lines) if line.startswith("Fatal Python error: ")]
    if crashes:
        cause = lines[crashes[-1]].removeprefix("Fatal Python error: ")
        places = [one.strip() for one in lines[crashes[-1] :] if one.startswith("  File ")]
        return f"{cause}, {places[0]}" if places else cause
    errors = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line]
    line = (errors or lines or ["no output"])[-1]
    return line.rpartition("]: ")[2].strip()
