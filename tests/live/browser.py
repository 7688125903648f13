"""A real browser, without a window: Chromium, led by its debugging protocol."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import struct
import subprocess
import time
import urllib.request
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.websockets import Client

_SHIFTED = {">": "."}
_CODES = {" ": "Space", "/": "Slash", ".": "Period", "-": "Minus", "\r": "Enter"}


class Browser:
    """One Chromium with one page. Close it."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [
                "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                "--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={folder}", "--window-size=1024,768",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            self._client = self._connect(folder / "DevToolsActivePort")
        except BaseException:
            self.close()
            raise
        self._numbers = itertools.count(1)

    @staticmethod
    def available() -> bool:
        """Whether there is a Chromium here."""
        return shutil.which("chromium") is not None

    def close(self) -> None:
        """End it."""
        if hasattr(self, "_client"):
            self._client.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.ask("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Answer the value of an expression in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self) -> bytes:
        """Answer what the window would show, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def type(self, text: str) -> None:
        """Press keys, as on an American keyboard; \\r is Enter."""
        for letter in text:
            shifted = letter in _SHIFTED or letter.isupper()
            if shifted:
                self._press("keyDown", "Shift", "ShiftLeft", 16, "")
            plain = _SHIFTED.get(letter, letter)
            code = _CODES.get(plain) or (f"Digit{plain}" if plain.isdigit() else f"Key{plain.upper()}")
            name = "Enter" if letter == "\r" else letter
            self._press("keyDown", name, code, ord(plain.upper()), letter)
            self._press("keyUp", name, code, ord(plain.upper()), "")
            if shifted:
                self._press("keyUp", "Shift", "ShiftLeft", 16, "")
            time.sleep(0.03)                         # a guest which is emulated has a slow keyboard

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and answer its result. Raises RuntimeError."""
        number = next(self._numbers)
        self._client.send(json.dumps({"id": number, "method": method, "params": parameters}).encode(), opcode=1)
        while True:
            said = self._client.receive()
            if said is None:
                raise RuntimeError(f"Chromium left during {method}")
            message = json.loads(said)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def _press(self, kind: str, key: str, code: str, number: int, text: str) -> None:
        self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, text=text)

    def _connect(self, file: Path) -> Client:
        give_up = time.monotonic() + 30
        while not (file.exists() and file.read_text().count("\n")):
            assert time.monotonic() < give_up, "Chromium did not start in 30 s"
            assert self._process.poll() is None, f"Chromium ended with {self._process.returncode}"
            time.sleep(0.1)
        port = int(file.read_text().split()[0])
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return Client("127.0.0.1", port, urlsplit(pages[0]["webSocketDebuggerUrl"]).path)
            time.sleep(0.1)


def colours(png: bytes) -> dict[bytes, int]:
    """Answer how many pixels of each colour a PNG has; one of 8 bits a channel, as Chromium makes them."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack("!IIBB", png[16:26])
    assert (depth, kind) in ((8, 2), (8, 6)), "another sort of PNG"
    size = 3 if kind == 2 else 4
    packed, at = b"", 8
    while at < len(png):
        length, name = struct.unpack("!I4s", png[at:at + 8])
        if name == b"IDAT":
            packed += png[at + 8:at + 8 + length]
        at += length + 12
    raw = zlib.decompress(packed)
    found: dict[bytes, int] = {}
    before = bytearray(width * size)
    for row in range(height):
        start = row * (width * size + 1)
        line = bytearray(raw[start + 1:start + 1 + width * size])
        _unfilter(raw[start], line, before, size)
        for pixel in range(0, width * size, size):
            colour = bytes(line[pixel:pixel + 3])
            found[colour] = found.get(colour, 0) + 1
        before = line
    return found


def _unfilter(kind: int, line: bytearray, before: bytearray, size: int) -> None:
    for index in range(len(line)) if kind else ():
        left = line[index - size] if index >= size else 0
        up = before[index]
        corner = before[index - size] if index >= size else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        else:
            near = left + up - corner
            guess = min((left, up, corner), key=lambda one: abs(near - one))
        line[index] = (line[index] + guess) & 0xFF
