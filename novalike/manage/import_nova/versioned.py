"""The JSON in which Nova stores its objects: `{"nova_object.name": ..., "nova_object.data": {...}}`, one inside the other."""

from __future__ import annotations

from typing import Any

import orjson


def data(text: str | bytes | None) -> Any:
    """Answer what a stored text says, all wrappings removed: dictionaries and lists of plain values. None for nothing.

    Raises ValueError for text which is no JSON.
    """
    return plain(orjson.loads(text)) if text else None


def plain(value: Any) -> Any:
    """Remove the wrappings of a value and of everything in it; lists of objects become lists."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = value.get("nova_object.data", value.get("nova_object", value))
    if inner is not value and isinstance(inner, dict) and inner.keys() == {"objects"}:
        return plain(inner["objects"])
    return {name: plain(one) for name, one in inner.items() if not name.startswith("nova_object.")} if isinstance(inner, dict) else inner
