"""Vendor data: a file for everybody, and answers of services asked about each guest."""

from __future__ import annotations

import http.client
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oslo_config import cfg

from novalike.objects.instance import Instance

LOG = logging.getLogger(__name__)
MAX_ANSWER = 1024 * 1024


class VendorData:
    """Reads the file once per change of it; asks the services at each look-up. What fails is left out and logged."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._settings = conf.api
        self._targets = [_target(text) for text in conf.api.vendordata_dynamic_targets]
        self._known: tuple[float, dict[str, Any]] = (-1.0, {})

    def static(self) -> dict[str, Any]:
        """Answer the document of vendor_data.json."""
        path = self._settings.vendordata_jsonfile_path
        if not path or "StaticJSON" not in self._settings.vendordata_providers:
            return {}
        try:
            changed = Path(path).stat().st_mtime
            if changed != self._known[0]:
                document = json.loads(Path(path).read_text(encoding="utf-8"))
                if not isinstance(document, dict):
                    raise ValueError("it is no JSON object")
                self._known = (changed, document)
        except (OSError, ValueError) as error:
            LOG.warning("vendor data cannot be read from %s: %s", path, error)
            return {}
        return self._known[1]

    def all(self, instance: Instance) -> dict[str, Any]:
        """Answer the document of vendor_data2.json."""
        document: dict[str, Any] = {}
        static = self.static()
        if static:
            document["static"] = static
        if "DynamicJSON" in self._settings.vendordata_providers:
            for name, url in self._targets:
                document[name] = self._ask(name, url, instance)
        return document

    def _ask(self, name: str, url: str, instance: Instance) -> Any:
        body = json.dumps({
            "project-id": instance.project_id, "instance-id": instance.uuid, "image-id": instance.image_ref,
            "user-data": instance.user_data, "hostname": instance.hostname, "metadata": instance.metadata, "boot-roles": "",
        })
        target = urlsplit(url)
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        timeout = self._settings.vendordata_dynamic_connect_timeout + self._settings.vendordata_dynamic_read_timeout
        connection = kind(target.netloc, timeout=timeout)
        try:
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            connection.request("POST", path, body, {"Content-Type": "application/json", "Accept": "application/json"})
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER)
            if answer.status >= 400:
                raise ValueError(f"it answered {answer.status}")
            return json.loads(content) if content else {}
        except (OSError, ValueError, http.client.HTTPException) as error:
            LOG.warning("vendor data of %s for instance %s could not be fetched: %s", name or url, instance.uuid, error)
            return {}
        finally:
            connection.close()


def _target(text: str) -> tuple[str, str]:
    """Answer name and URL of name@URL; a URL alone has the empty name."""
    name, at, url = text.partition("@")
    return (name, url) if at else ("", text)
