"""Links that carry MAVLink: UDP, TCP and serial ports, opened from an address."""

import os
import select
import socket
from collections.abc import Hashable
from ipaddress import ip_address
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from liquid_control.dependencies import require
from liquid_control.errors import AutopilotError, ConfigError

FORMS = (
    "udpin://ADDRESS:PORT (listen), udpout://ADDRESS:PORT (send to), tcp://ADDRESS:PORT or "
    "serial:///dev/NAME:BAUD"
)
READ_BYTES = 4096
MAX_READS = 16
"""Datagrams or reads at one call, so that a flood does not keep the caller from sending."""
CONNECT_S = 5.0
WRITE_S = 0.1
"""A link that accepts no data for so long has failed."""


class LinkAddress(NamedTuple):
    """Address of a link.

    Attributes:
        kind: udpin, udpout, tcp or serial.
        place: address of an interface or host, or a device.
        number: port, or baud rate.
    """

    kind: str
    place: str
    number: int

    @classmethod
    def parse(cls, text: str) -> "LinkAddress":
        """Return the address of a text.

        Raises:
            ConfigError: it has none of the forms.
        """
        try:
            parts = urlsplit(text)
            if parts.scheme == "serial":
                place, _, number = parts.path.rpartition(":")
                address = cls("serial", place, int(number))
            else:
                address = cls(parts.scheme, parts.hostname or "", parts.port or 0)
        except ValueError:
            address = cls("", "", 0)
        known = address.kind in ("udpin", "udpout", "tcp", "serial")
        if not (known and address.place and address.number > 0):
            raise ConfigError(f"link: expected {FORMS}, got {text!r}")
        return address

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the other end must be on this machine: a loopback address."""
        if self.kind == "serial":
            return False
        try:
            return self.place == "localhost" or ip_address(self.place).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.kind}://{self.place}:{self.number}"


class MavlinkPort(Protocol):
    """An open link; every failure is an `AutopilotError`."""

    def read(self, timeout_s: float) -> list[tuple[Hashable, bytes]]:
        """Return what has arrived, each with its sender, after a wait for the first of it."""
        ...

    def write(self, data: bytes, receiver: Hashable | None) -> None:
        """Send a frame.

        Args:
            data: the frame.
            receiver: a sender that `read` returned; None for the configured one, if any.
        """
        ...

    def close(self) -> None:
        """Close the port."""
        ...


class UdpLink:
    """A UDP socket that listens, or sends to a fixed address.

    Args:
        address: the link's address.

    Raises:
        AutopilotError: the address cannot be used.
    """

    def __init__(self, address: LinkAddress) -> None:
        self._address = address
        self._remote: Any = None
        try:
            found = socket.getaddrinfo(address.place, address.number, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, place = found[0]
            self._socket = socket.socket(family, kind, protocol)
        except OSError as error:
            raise _failure(address, error) from error
        self._socket.setblocking(False)
        if address.kind == "udpout":
            self._remote = place
            return
        try:
            self._socket.bind(place)
        except OSError as error:
            self._socket.close()
            raise _failure(address, error) from error

    def read(self, timeout_s: float) -> list[tuple[Hashable, bytes]]:
        """Return the datagrams that have arrived."""
        received: list[tuple[Hashable, bytes]] = []
        try:
            select.select([self._socket], [], [], timeout_s)
            for _ in range(MAX_READS):
                data, sender = self._socket.recvfrom(READ_BYTES)
                received.append((sender, data))
        except (BlockingIOError, ConnectionRefusedError):
            return received
        except OSError as error:
            raise _failure(self._address, error) from error
        return received

    def write(self, data: bytes, receiver: Hashable | None) -> None:
        """Send a datagram; one that the network does not take now is lost, as UDP's may be."""
        target: Any = receiver or self._remote
        if target is None:
            return
        try:
            self._socket.sendto(data, target)
        except (BlockingIOError, ConnectionRefusedError):
            return
        except OSError as error:
            raise _failure(self._address, error) from error

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class TcpLink:
    """A TCP connection to a server.

    Args:
        address: the server's address.

    Raises:
        AutopilotError: it does not accept the connection.
    """

    def __init__(self, address: LinkAddress) -> None:
        self._address = address
        try:
            place = (address.place, address.number)
            self._socket = socket.create_connection(place, timeout=CONNECT_S)
        except OSError as error:
            raise _failure(address, error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(WRITE_S)

    def read(self, timeout_s: float) -> list[tuple[Hashable, bytes]]:
        """Return the bytes that have arrived."""
        ready, _, _ = select.select([self._socket], [], [], timeout_s)
        if not ready:
            return []
        try:
            data = self._socket.recv(READ_BYTES)
        except OSError as error:
            raise _failure(self._address, error) from error
        if not data:
            raise AutopilotError(f"{self._address}: the other end closed the connection")
        return [(str(self._address), data)]

    def write(self, data: bytes, receiver: Hashable | None) -> None:
        """Send bytes."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _failure(self._address, error) from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class SerialLink:
    """A serial port.

    Args:
        address: device and baud rate.

    Raises:
        AutopilotError: the device is missing, used by another program, or not permitted.
    """

    def __init__(self, address: LinkAddress) -> None:
        self._address = address
        self._serial: Any = require("serial", "mavlink", "connect an autopilot by a serial port")
        if not os.path.exists(address.place):
            raise AutopilotError(f"{address}: there is no device {address.place}")
        try:
            self._port = self._serial.Serial(
                address.place, address.number, timeout=0, write_timeout=WRITE_S, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise _failure(address, error) from error

    def read(self, timeout_s: float) -> list[tuple[Hashable, bytes]]:
        """Return the bytes that have arrived."""
        try:
            select.select([self._port], [], [], timeout_s)
            data = self._port.read(READ_BYTES)
        except (OSError, TypeError, ValueError) as error:
            raise _failure(self._address, error) from error
        return [(self._address.place, data)] if data else []

    def write(self, data: bytes, receiver: Hashable | None) -> None:
        """Send bytes."""
        try:
            self._port.write(data)
        except OSError as error:
            raise _failure(self._address, error) from error

    def close(self) -> None:
        """Close the port."""
        self._port.close()


LINKS: dict[str, type[UdpLink] | type[TcpLink] | type[SerialLink]] = {
    "udpin": UdpLink,
    "udpout": UdpLink,
    "tcp": TcpLink,
    "serial": SerialLink,
}


def open_link(address: LinkAddress) -> MavlinkPort:
    """Open a link.

    Raises:
        AutopilotError: it cannot be opened; the message has address and reason.
        DependencyError: pyserial is needed and not installed.
    """
    return LINKS[address.kind](address)


def _failure(address: LinkAddress, error: Exception) -> AutopilotError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return AutopilotError(f"{address}: {' '.join(reason.split())}")
