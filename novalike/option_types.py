"""Kinds of values which options may have, beyond oslo.config's."""

from __future__ import annotations

from typing import Any

from oslo_config import types

_LOOPBACK = ("127.0.0.1", "::1")


class Loopback(types.String):
    """A loopback address. Another one, as files of Nova's name, means 127.0.0.1."""

    def __call__(self, value: Any) -> str:
        """Answer the address which is used for what is written."""
        return value if value in _LOOPBACK else _LOOPBACK[0]
