"""The least HTTP client that devstack's own commands need: log in, ask, wait. Demos and tests use the stock clients."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Client:
    """One user's session. Raises urllib.error.HTTPError for refusals, OSError when nobody answers."""

    auth_url: str
    user: str
    password: str
    project: str
    token: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)

    def login(self) -> None:
        """Get a token and the catalog."""
        domain = {"id": "default"}
        body = {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"name": self.user, "domain": domain, "password": self.password}}},
            "scope": {"project": {"name": self.project, "domain": domain}},
        }}
        request = urllib.request.Request(
            f"{self.auth_url}/auth/tokens", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.token = answer.headers["X-Subject-Token"]
            catalog = json.load(answer)["token"]["catalog"]
        self.endpoints = {service["type"]: service["endpoints"][0]["url"].rstrip("/") for service in catalog if service["endpoints"]}

    def ask(self, method: str, service: str, path: str, body: Any = None, *, version: str = "2.96") -> Any:
        """Send one request to a service of the catalog; answer the decoded JSON (None for no body)."""
        if not self.token:
            self.login()
        request = urllib.request.Request(
            f"{self.endpoints[service]}{path}", method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Content-Type": "application/json", "Accept": "application/json", "X-Auth-Token": self.token,
                "OpenStack-API-Version": f"compute {version}",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def upload(self, path: str, content: bytes) -> None:
        """Send an image's content."""
        request = urllib.request.Request(
            f"{self.endpoints['image']}{path}", method="PUT", data=content,
            headers={"Content-Type": "application/octet-stream", "X-Auth-Token": self.token},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
