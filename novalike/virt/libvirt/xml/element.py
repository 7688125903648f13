"""Small XML trees written as nested calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

Element = ET.Element
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")   # XML 1.0 cannot carry them, even escaped


def element(
    tag: str, attributes: Mapping[str, str | int | None] | None = None, *children: Element | None, text: str | int | None = None,
) -> Element:
    """Answer an element. Attributes and children which are None are left out; values are escaped when rendered."""
    node = ET.Element(tag, {name: _FORBIDDEN.sub("\ufffd", str(value)) for name, value in (attributes or {}).items() if value is not None})
    if text is not None:
        node.text = _FORBIDDEN.sub("\ufffd", str(text))
    node.extend(child for child in children if child is not None)
    return node


def texts(values: Mapping[str, str | int | None]) -> Iterable[Element]:
    """Answer one element per name with the value as its text; None values are left out."""
    return (element(name, text=value) for name, value in values.items() if value is not None)


def render(node: Element) -> str:
    """Answer the text of a tree, indented."""
    ET.indent(node)
    return ET.tostring(node, encoding="unicode")
