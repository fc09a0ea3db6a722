"""Notifications to systemd: ready, alive, stopping (sd_notify(3), sd_watchdog_enabled(3))."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemdNotifier:
    """Sends the states of a process to the service manager that started it.

    A unit with `WatchdogSec` restarts a process that does not call `alive` for so long. Processes
    that were not started by such a unit, and children of its process, send nothing.

    Attributes:
        address: of the manager's socket, with a leading `@` for an abstract one; empty for none.
        watched: whether the manager waits for `alive`.
    """

    address: str = ""
    watched: bool = False

    @classmethod
    def of_environment(cls, environment: Mapping[str, str], pid: int) -> "SystemdNotifier":
        """Return the notifier of a process with this environment and process id."""
        address = environment.get("NOTIFY_SOCKET", "")
        own = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        timeout_us = environment.get("WATCHDOG_USEC", "")
        watched = timeout_us.isdecimal() and int(timeout_us) > 0
        return cls(address, watched and own) if own else cls()

    def ready(self) -> None:
        """State that the process has started."""
        self._send("READY=1")

    def alive(self) -> None:
        """State that the process makes progress."""
        if self.watched:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """State that the process is about to end."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        """Send a datagram; a manager that does not take it must not stop a flight."""
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(state.encode(), name)


def notifier() -> SystemdNotifier:
    """Return the notifier of this process."""
    return SystemdNotifier.of_environment(os.environ, os.getpid())
