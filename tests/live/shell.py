"""The `openstack` client's commands, run one after the other in one process of their own: starting it costs more than most of them.

    python -m tests.live.shell      reads commands as JSON lists of words, one a line, and answers each with [status, stdout, stderr]
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import Any


class Failed(Exception):
    """What a command said when it failed."""


class Shell:
    """A process which runs commands; `environment` says for which cloud."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.live.shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**kept, **environment},
        )

    def __call__(self, *words: str) -> str:
        """Run one command and answer what it prints. Raises Failed with what it says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"openstack {' '.join(words)}: the process died"
        status, output, errors = json.loads(line)
        if status:
            raise Failed(f"openstack {' '.join(words)}: {output}{errors}")
        return str(output)

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)


def _run(words: list[str]) -> tuple[int, str, str]:
    from openstackclient.shell import OpenStackShell  # half a second, and only in the process of its own
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            status: Any = OpenStackShell().run(words)
        except SystemExit as end:                # what argparse does of wrong words
            status = end.code
    return int(status or 0), output.getvalue(), errors.getvalue()


if __name__ == "__main__":
    for _line in sys.stdin:
        print(json.dumps(_run(json.loads(_line))), flush=True)  # noqa: T201
