"""The identity client over our own identity service."""

from __future__ import annotations

from novalike.db import identity as db
from novalike.db.cells import Cells
from novalike.objects.identity import Project, User


class LocalIdentityClient:
    """Implements identity.client.IdentityClient."""

    def __init__(self, cells: Cells) -> None:
        self._database = cells.shared

    def project_exists(self, project_id: str) -> bool:
        return self._database.fetch(db.find, Project, project_id) is not None

    def user_exists(self, user_id: str) -> bool:
        return self._database.fetch(db.find, User, user_id) is not None
