"""Config drives: the metadata documents as an ISO 9660 image with the label guests look for."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping

import pycdlib

LOG = logging.getLogger(__name__)
LABEL = "config-2"


def vendor_data(path: str | None) -> dict[str, object]:
    """Answer the operator's static vendor data; empty when there is no file or it is no JSON object (which is logged)."""
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except (OSError, ValueError) as error:
        LOG.warning("Vendor data cannot be read from %s: %s", path, error)
        return {}
    return document if isinstance(document, dict) else {}


def image(tree: Mapping[str, bytes]) -> bytes:
    """Answer an ISO image holding these files by path. Joliet and Rock Ridge keep the names for every guest."""
    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=4, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    made = {""}
    for path in sorted(tree):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in made:
                made.add(folder)
                disc.add_directory(f"/{folder}", rr_name=parts[depth - 1], joliet_path=f"/{folder}")
        content = tree[path]
        disc.add_fp(io.BytesIO(content), len(content), f"/{path}", rr_name=parts[-1], joliet_path=f"/{path}")
    output = io.BytesIO()
    disc.write_fp(output)
    disc.close()
    return output.getvalue()
