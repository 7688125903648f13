"""createImage and createBackup of POST /servers/{id}/action."""

from __future__ import annotations

import orjson
from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import snapshot_actions as schemas
from novalike.api.openstack.schemas.names import whole
from novalike.api.operations import server_images
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices

_PATH = "/servers/{id}/action"


class _Snapshots:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def create_image(self, request: Request) -> Response:
        body = request.body_value["createImage"]
        metadata = self._metadata(request, body)
        instance = self._servers.get(request.context, request.path_args["id"])
        image_id = server_images.snapshot(self._services, request.context, instance, body["name"].strip(), metadata)
        return self._answer(request, image_id)

    def create_backup(self, request: Request) -> Response:
        body = request.body_value["createBackup"]
        metadata = self._metadata(request, body)
        rotation = whole(body["rotation"], "rotation", minimum=0)
        instance = self._servers.get(request.context, request.path_args["id"])
        image_id = server_images.backup(
            self._services, request.context, instance, body["name"].strip(), metadata, backup_type=body["backup_type"],
            rotation=rotation,
        )
        return self._answer(request, image_id, kept=rotation > 0)

    def _metadata(self, request: Request, body: dict[str, dict[str, str]]) -> dict[str, str]:
        metadata = body.get("metadata", {})
        if request.version <= (2, 38):
            server_images.check_metadata_quota(self._services, request.context, metadata)
        return metadata

    def _answer(self, request: Request, image_id: str, *, kept: bool = True) -> Response:
        if request.version >= (2, 45):
            return Response(
                status=202, content_type="application/json", charset=None, body=orjson.dumps({"image_id": image_id}),
            )
        response = Response(status=202)
        if kept:
            # As the image service's own clients are told where it is, without a version.
            response.headers["Location"] = f"{self._services.conf.endpoints.image.rstrip('/')}/images/{image_id}"
        return response


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of images made of servers."""
    of = _Snapshots(services)
    return (
        Route(
            method="POST", path=_PATH, action="createImage", handler=of.create_image, rule="os_compute_api:servers:create_image",
            body=schemas.CREATE_IMAGE, status=202,
        ),
        Route(
            method="POST", path=_PATH, action="createBackup", handler=of.create_backup, rule="os_compute_api:os-create-backup",
            body=schemas.CREATE_BACKUP, status=202,
        ),
    )
