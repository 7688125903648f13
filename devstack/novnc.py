"""noVNC's page, for the console proxy to serve: Debian's, or unpacked from Debian's package.

It is not installed: the package depends on a second websockify, on nodejs and more, half a minute's work which the page needs
nothing of.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
INSTALLED = Path("/usr/share/novnc")


def page(cache: Path = TOP / ".cache") -> Path | None:
    """Answer the folder with vnc.html, fetching a quarter of a megabyte once; None (and a word about it) when it cannot be had."""
    if (INSTALLED / "vnc.html").exists():
        return INSTALLED
    home = cache / "novnc"
    if not (home / "vnc.html").exists():
        draft = cache / "novnc.part"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            subprocess.run(["apt-get", "-q", "download", "novnc"], cwd=draft, check=True, capture_output=True, text=True, timeout=120)
            package = next(draft.glob("novnc_*.deb"))
            subprocess.run(["dpkg-deb", "-x", str(package), str(draft)], check=True, capture_output=True, text=True, timeout=60)
            (draft / "usr/share/novnc").rename(home)
        except (OSError, StopIteration, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or error
            print(f"noVNC's page cannot be had, so browsers show no consoles: {str(said).strip()[-300:]}", file=sys.stderr)
            return None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return home


if __name__ == "__main__":
    print(page())
