"""Finds the files which come with the code: api-paste.ini and the samples."""

from __future__ import annotations

from pathlib import Path

import novalike


def find(name: str, folders: tuple[str, ...] = ("/etc/novalike",)) -> Path:
    """Answer where a file is: an absolute name as it is; else in the operator's folders, inside the installed package, or in
    etc/ beside it (a checkout, an editable installation). Raises FileNotFoundError naming all places.
    """
    package = Path(novalike.__file__).parent
    places = [Path(name)] if Path(name).is_absolute() else [
        *(Path(folder) / name for folder in folders), package / "_etc" / name, package.parent / "etc" / name,
    ]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"{name} is in none of {', '.join(str(place.parent) for place in places)}")
