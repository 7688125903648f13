"""The identity client over a real Keystone."""

from __future__ import annotations

import logging
from typing import Any

from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session

from novalike.identity.sessions import adapter_settings

LOG = logging.getLogger(__name__)


class KeystoneIdentityClient:
    """Implements identity.client.IdentityClient, as the service user of `session`."""

    def __init__(self, session: Session, section: Any) -> None:
        """`section` is [keystone]."""
        self._keystone = Adapter(session, **adapter_settings(section), min_version="3.0", max_version="3.latest")

    def project_exists(self, project_id: str) -> bool:
        return self._exists(f"/projects/{project_id}")

    def user_exists(self, user_id: str) -> bool:
        return self._exists(f"/users/{user_id}")

    def _exists(self, path: str) -> bool:
        """Answer False only when Keystone says so: a check which cannot be made must not stop an admin."""
        try:
            answer = self._keystone.get(path, raise_exc=False)
        except keystone_errors.ClientException as error:
            LOG.warning("Keystone could not be asked about %s: %s", path, error)
            return True
        if answer.status_code not in {200, 404}:
            LOG.warning("Keystone answered %s about %s", answer.status_code, path)
        return answer.status_code != 404
