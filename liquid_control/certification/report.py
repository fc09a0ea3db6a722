"""Text of a certificate: each command's bound, what search found, and the memory."""

from collections.abc import Iterator, Mapping
from typing import Any

LAYERS = ("inter", "command", "motor")
UNITS = {"forward": "m/s", "left": "m/s", "up": "m/s", "yaw_rate": "rad/s"}


def certificate_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that describe a certificate."""
    claims, found = content["claims"], content["found"]
    yield f"{content['model']}: weights {content['weights_sha256'][:12]}…"
    for name, (low, high) in claims["commands"].items():
        least, most = found["commands"][name]
        gap = max(least - low, high - most)
        yield (
            f"  {name:8s} within {low:+.3f} to {high:+.3f} {UNITS[name]}, found "
            f"{least:+.3f} to {most:+.3f}, gap {gap:.3f}"
        )
    if (box := claims.get("box")) is not None:
        for name, (low, high) in box["commands"].items():
            (g0, g1), (b0, b1) = (box["readout"][name][key] for key in ("gain", "offset"))
            yield (
                f"  {name:8s} within {low:+.3f} to {high:+.3f} {UNITS[name]} for gains {g0:g} to "
                f"{g1:g} and offsets {b0:+.3f} to {b1:+.3f} {UNITS[name]} of the read-out"
            )
    for claim, attained in zip(claims["regions"], found["regions"], strict=True):
        yield f"  elapsed times up to {claim['longest_s'] * 1e3:g} ms"
        for key, what in (("feature", "one feature"), ("elapsed_per_s", "1 s of elapsed time")):
            pairs = zip(UNITS, claim[key], attained[key], strict=True)
            text = ", ".join(f"{name} {bound:.3g} ({value:.3g})" for name, bound, value in pairs)
            yield f"    change for {what}: {text}"
        rates = ", ".join(
            f"{name} {layer['rate']:.3f}"
            for name, layer in zip(LAYERS, claim["layers"], strict=False)
        )
        yield f"    rate of a step: {rates}; {_memory_text(claim['memory'])}"
    if (trap := claims["trap"]) is not None:
        gaps = ", ".join(
            f"{name} {gap:.2f} {UNITS[name]}"
            for name, gap in zip(UNITS, trap["difference"], strict=True)
            if gap > 0.0
        )
        yield (
            f"  no fading memory for all inputs: with one constant input every "
            f"{trap['dt_s'] * 1e3:g} ms two pasts differ for ever, by {gaps} or more"
        )


def _memory_text(memory: Mapping[str, Any] | None) -> str:
    if memory is None:
        return "no rate below 1 for the whole cell"
    text = ", ".join(
        f"{name} {value:.3g}" for name, value in zip(UNITS, memory["difference"], strict=True)
    )
    return f"two pasts differ after n steps by at most {memory['rate']:.3f}^n times {text}"
