"""The identity service as the rest of the code uses it."""

from __future__ import annotations

from typing import Protocol


class IdentityClient(Protocol):
    """What compute needs of an identity service besides authentication itself (which keystonemiddleware does)."""

    def project_exists(self, project_id: str) -> bool:
        """Tell whether there is such a project; True when the service will not say."""
        ...

    def user_exists(self, user_id: str) -> bool:
        """Tell whether there is such a user; True when the service will not say."""
        ...
