"""Dotted scenario keys as the words that other processes take them in."""

import json
from collections.abc import Mapping
from typing import Any


def override_words(overrides: Mapping[str, Any]) -> list[str]:
    """Return `key=value` words that `parse_settings` reads back as they were."""
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
