"""The text which guests wrote to their serial port. virtlogd writes it to a file and renames full ones to .0, .1, ..."""

from __future__ import annotations

import os
from collections.abc import Iterator

_BLOCK = 65536


def tail(path: str, lines: int | None, limit: int) -> bytes:
    """Answer the last `lines` lines (None: all), at most `limit` bytes, read from the end; empty when there is no file."""
    if lines is not None and lines <= 0:
        return b""
    wanted = limit
    pieces: list[bytes] = []
    newlines = 0
    for name in (path, f"{path}.0", f"{path}.1"):
        for block in _backwards(name):
            piece = block[-wanted:] if wanted < len(block) else block
            pieces.append(piece)
            wanted -= len(piece)
            newlines += piece.count(b"\n")
            # One newline more than lines: the text before the first wanted line ends with one.
            if wanted <= 0 or (lines is not None and newlines > lines):
                return _last(b"".join(reversed(pieces)), lines)
        if not os.path.exists(name):
            break
    return _last(b"".join(reversed(pieces)), lines)


def _backwards(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            position = file.seek(0, os.SEEK_END)
            while position > 0:
                size = min(_BLOCK, position)
                position -= size
                file.seek(position)
                yield file.read(size)
    except FileNotFoundError:
        return


def _last(text: bytes, lines: int | None) -> bytes:
    if lines is None:
        return text
    ended = text.endswith(b"\n")
    kept = (text[:-1] if ended else text).split(b"\n")[-lines:]
    return b"\n".join(kept) + (b"\n" if ended else b"")
