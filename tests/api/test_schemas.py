"""What requests may hold, at each microversion, is checked in as text: see schemas.py."""

import difflib

from tests.api import schemas


def test_requests_are_as_checked_in():
    kept = {path.stem: path.read_text() for path in schemas.FOLDER.glob("*.txt")}
    now = schemas.current()
    changes = [
        line for name in sorted(kept.keys() | now.keys())
        for line in difflib.unified_diff(
            kept.get(name, "").splitlines(), now.get(name, "").splitlines(), f"schemas/{name}.txt", "the code", n=1, lineterm="",
        )
    ]
    assert not changes, (
        "the API's requests changed; if that is meant, run python -m tests.api.schemas and commit what it writes:\n" + "\n".join(changes)
    )
