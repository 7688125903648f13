"""Runs tests in several processes, which share them file by file (tests/sharing.py), and shows what failed and what was slow.

    python -m devstack.tests [-n PROCESSES] PYTEST ARGUMENTS...
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Seconds between two lines which say how far it is.
EVERY = 60.0


def main(arguments: list[str]) -> int:
    """Run pytest so many times at once, print what each says, and answer the first exit status which is not 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="python -m devstack.tests", description="Run tests in several processes.")
    parser.add_argument("-n", type=int, default=os.cpu_count() or 1, metavar="PROCESSES", help="(%(default)s)")
    options, rest = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory(prefix="novalike-tests-") as name:
        folder = Path(name)
        (folder / "taken").mkdir()
        logs = [folder / f"{number}.log" for number in range(max(1, options.n))]
        running = [_start(rest, log, folder / "taken") for log in logs]
        try:
            _watch(running, folder / "taken")
        finally:
            for process in running:
                process.terminate()
                process.wait()
        for number, log in enumerate(logs, 1):
            print(f"\n----- process {number} of {len(logs)} -----")
            print(log.read_text(errors="replace").strip(), flush=True)
            process = running[number - 1]
            if process.returncode:
                print(f"It ended with {process.returncode}, with {_last(process.pid, folder / 'taken')}.", flush=True)
        return next((process.returncode for process in running if process.returncode), 0)


def _start(arguments: list[str], log: Path, taken: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "tests.sharing", *arguments], stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env={**os.environ, "NOVALIKE_TESTS_TAKEN": str(taken)},
        )


def _last(pid: int, taken: Path) -> str:
    """Name the last file of tests which a process took: one which a hanging test killed cannot."""
    theirs = [one for one in taken.iterdir() if one.read_text().startswith(f"{pid} ")]
    return max(theirs, key=lambda one: one.stat().st_mtime).read_text().partition(" ")[2] if theirs else "no test"


def _watch(running: list[subprocess.Popen[bytes]], taken: Path) -> None:
    begun = said = time.monotonic()
    while any(process.poll() is None for process in running):
        time.sleep(0.2)
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(f"  {said - begun:.0f} s: {len(list(taken.iterdir()))} files of tests begun", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
