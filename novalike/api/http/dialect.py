"""What dialects of APIs without microversions have in common."""

from __future__ import annotations

from typing import ClassVar

from webob import Response

from novalike.api.http.application import Request
from novalike.api.http.versions import Version


class OneVersion:
    """Everything of api.http.application.Dialect but `fault`."""

    version: ClassVar[Version]

    def negotiate(self, request: Request) -> Version:
        """There is one version."""
        return self.version

    def locate(self, request: Request) -> str:
        """Paths are looked up as they are."""
        return str(request.path_info or "/")

    def finish(self, request: Request, response: Response) -> None:
        """Nothing is added."""
