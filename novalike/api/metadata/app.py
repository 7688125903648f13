"""The 169.254.169.254 service, behind the network agents' proxies (ours or Neutron's).

Which server asks is told by signed headers and by nothing else: whoever does not know the shared secret gets no answer.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from webob import Request, Response

from novalike import metadata
from novalike.api.metadata.vendor_data import VendorData
from novalike.api.services import ApiServices
from novalike.db import block_devices, instances
from novalike.exception import Conflict, Forbidden, Invalid, NotFound, NovalikeError
from novalike.objects.instance import Instance

LOG = logging.getLogger(__name__)
#: The guest's password is kept in four pieces of this many characters, as Nova keeps it.
PIECE, PIECES = 255, 4
_KEPT = 1000


class MetadataApplication:
    """A WSGI application."""

    def __init__(self, services: ApiServices) -> None:
        self._cells = services.cells
        self._clock = services.clock
        self._conf = services.conf
        self._vendor_data = VendorData(services.conf)
        self._seconds = services.conf.api.metadata_cache_expiration
        self._known: OrderedDict[str, tuple[float, metadata.Facts]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._answer(request)
        except NovalikeError as error:
            response = self._refuse(error.code, str(error))
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            response = self._refuse(500, "An unknown error has occurred. Please try your request again.")
        return response(environ, start_response)  # type: ignore[no-any-return]

    @staticmethod
    def _refuse(code: int, message: str) -> Response:
        return Response(status=code, text=f"{message}\n", content_type="text/plain", charset="UTF-8")

    def _answer(self, request: Request) -> Response:
        uuid, project_id = self._identify(request)
        if request.method == "POST":
            return self._set_password(request, uuid, project_id)
        if request.method not in {"GET", "HEAD"}:
            response = self._refuse(405, "The method is not allowed for this resource.")
            response.headers["Allow"] = "GET, HEAD, POST"
            return response
        document = metadata.lookup(self._facts(uuid, project_id), request.path_info or "/")
        response = Response(status=200, body=document.content)
        response.headers["Content-Type"] = document.content_type
        return response

    def _identify(self, request: Request) -> tuple[str, str]:
        """Answer the server's uuid and project. Raises Invalid, Forbidden."""
        values = {name: request.headers.get(f"X-{name}", "") for name in ("Instance-ID", "Tenant-ID", "Instance-ID-Signature")}
        for name in ("Instance-ID", "Tenant-ID"):
            if not values[name]:
                raise Invalid(f"X-{name} header is missing from request.")
            if "," in values[name]:
                raise Invalid(f"Multiple X-{name} headers found within request.")
        secret = self._conf.neutron.metadata_proxy_shared_secret
        if not secret:
            LOG.error("[neutron] metadata_proxy_shared_secret is not set: metadata are told to nobody")
            raise Forbidden("Invalid proxy request signature.")
        proof = hmac.new(secret.encode(), values["Instance-ID"].encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof.encode(), values["Instance-ID-Signature"].encode()):
            LOG.warning("a metadata request for instance %s from %s is not signed with our secret", values["Instance-ID"][:64], request.remote_addr)
            raise Forbidden("Invalid proxy request signature.")
        return values["Instance-ID"], values["Tenant-ID"]

    def _facts(self, uuid: str, project_id: str) -> metadata.Facts:
        now = self._clock.monotonic()
        with self._lock:
            kept = self._known.get(uuid)
        if kept is None or kept[0] <= now:
            cell = self._cells.of_instance(uuid)
            instance, disks = cell.fetch(instances.get, uuid), cell.fetch(block_devices.of_instance, uuid)
            facts = metadata.Facts(
                instance=instance, vifs=instance.network_info, block_devices=disks, vendor_data=self._vendor_data.static(),
                vendor_data2=self._vendor_data.all(instance), dhcp_domain=self._conf.network.dhcp_domain, random_seed=os.urandom(512),
            )
            kept = (now + self._seconds, facts)
            with self._lock:
                self._known[uuid] = kept
                self._known.move_to_end(uuid)
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        if kept[1].instance.project_id != project_id:
            LOG.warning("a metadata request for instance %s names project %s, which it is not of", uuid, project_id[:64])
            raise NotFound(f"Instance {uuid} could not be found.")
        return kept[1]

    def _set_password(self, request: Request, uuid: str, project_id: str) -> Response:
        """Keep the password which the guest made, encrypted by it for its user. It is set once."""
        parts = (request.path_info or "").strip("/").split("/")
        if len(parts) != 3 or parts[0] != "openstack" or parts[2] != "password" or "password" not in metadata.lookup(
            self._facts(uuid, project_id), "/".join(parts[:2]),
        ).content.decode().split():
            raise NotFound("There is nothing to write at this path.")
        if (request.content_length or 0) > PIECE * PIECES:
            raise Invalid("Request is too large.")
        text = request.body.decode("ascii", "strict") if request.body.isascii() else None
        if text is None:
            raise Invalid("The password must be ASCII text.")

        def apply(instance: Instance) -> dict[str, Any]:
            if metadata.guest_password(instance):
                raise Conflict("The password was set already.")
            pieces = {f"password_{n}": text[n * PIECE:(n + 1) * PIECE] for n in range(PIECES)}
            return {"system_metadata": {**instance.system_metadata, **pieces}}

        self._cells.of_instance(uuid).write(instances.change, uuid, self._clock.now(), apply)
        with self._lock:
            self._known.pop(uuid, None)
        return Response(status=200)


def application(services: ApiServices) -> MetadataApplication:
    """Build the metadata API. No authentication middleware belongs around it: it checks signatures itself."""
    return MetadataApplication(services)
