"""/servers/{server_id}/migrations: the live migrations of a server which go on now. Other moves: /os-migrations."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.migrations import NO_QUERY
from novalike.api.openstack.views import migrations as views
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.db import server_migrations
from novalike.exception import NotFound
from novalike.objects.migration import Migration

_RULE = "os_compute_api:servers:migrations"
_PATH = "/servers/{server_id}/migrations"
_SINCE = "2.23"
_LIVE = "live-migration"


class _ServerMigrations:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)

    def _of(self, request: Request) -> list[Migration]:
        uuid = self._servers.get(request.context, request.path_args["server_id"]).uuid
        with self._servers.cell_of(uuid).read() as session:
            return server_migrations.list_page(session, server_migrations.Filters(instance_uuid=uuid))

    def index(self, request: Request) -> dict[str, Any]:
        with_hosts = request.allowed(f"{_RULE}:index:host")
        running = [move for move in self._of(request) if move.migration_type == _LIVE and move.status in views.RUNNING]
        return {"migrations": [views.of_server(request, move, with_hosts=with_hosts) for move in running]}

    def show(self, request: Request) -> dict[str, Any]:
        key, server = request.path_args["id"], request.path_args["server_id"]
        move = next((move for move in self._of(request) if str(move.id) == key), None)
        if move is None:
            raise NotFound(f"Migration {key[:255]} not found for instance {server}")
        if move.migration_type != _LIVE:
            raise NotFound(f"Migration {key} for server {server} is not live-migration.")
        if move.status not in views.RUNNING:
            raise NotFound(f"Migration {key} for server {server} is not in progress.")
        return {"migration": views.of_server(request, move, with_hosts=True)}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of a server's migrations."""
    of = _ServerMigrations(services)
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_RULE}:index", query=NO_QUERY, since=_SINCE),
        Route(method="GET", path=f"{_PATH}/{{id}}", handler=of.show, rule=f"{_RULE}:show", query=NO_QUERY, since=_SINCE),
    )
