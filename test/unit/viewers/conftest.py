"""What tests of the feed share: a sender that keeps messages, and a clock that is set."""


class Sent:
    """A sender that keeps what it is given."""

    def __init__(self, *looked_at: str) -> None:
        self.looked_at = set(looked_at)
        self.messages: list[tuple[str, bytes, int]] = []

    def wanted(self) -> set[str]:
        return self.looked_at

    def send(self, topic: str, message: bytes, stamp_ns: int) -> None:
        self.messages.append((topic, message, stamp_ns))

    def topics(self) -> list[str]:
        return [topic for topic, _, _ in self.messages]


class Clock:
    """Steady time that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s
