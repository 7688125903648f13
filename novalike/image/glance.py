"""The image client over a real Glance v2.

It asks as our service user, so it checks itself that the caller may see an image: Glance's own answer would be the
administrator's.
"""

from __future__ import annotations

import contextlib
import html
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from keystoneauth1 import exceptions as errors
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session

from novalike.context import RequestContext
from novalike.exception import Conflict, Forbidden, Invalid, NotFound, OverQuota, TooLarge, Unavailable
from novalike.objects.image import Image, ImageSource, ImageTarget

LOG = logging.getLogger(__name__)

_BLOCK = 1 << 20
_TAGS = re.compile(r"<[^>]*>")
_FIELDS = ("id", "name", "status", "visibility", "owner", "container_format", "disk_format", "size", "virtual_size", "min_disk",
           "min_ram", "checksum", "os_hash_algo", "os_hash_value", "os_hidden", "protected")
_LINKS = frozenset({"self", "file", "schema", "locations", "direct_url", "stores", "tags", "created_at", "updated_at"})
#: Properties which Glance itself sets, and lets nobody change.
_GLANCES_OWN = ("os_glance_", "stores")
_FAMILIES: dict[int, type[Exception]] = {400: Invalid, 403: Forbidden, 404: NotFound, 409: Conflict, 413: TooLarge}


class GlanceImageClient:
    """Implements image.client.ImageClient with a session of the service user. `section` is [glance]."""

    def __init__(self, session: Session, section: Any) -> None:
        self._glance = Adapter(
            session, service_type=section.service_type, interface=section.valid_interfaces, region_name=section.region_name,
            endpoint_override=section.endpoint_override, min_version="2", max_version="2.latest",
            connect_retries=section.num_retries,
        )

    def get(self, ctxt: RequestContext, image_id: str) -> Image:
        image = _image(self._call(lambda: self._glance.get(f"{self._base()}/images/{image_id}")).json())
        if not self._sees(ctxt, image):
            raise NotFound(f"Image {image_id} could not be found.")
        return image

    def list(
        self, ctxt: RequestContext, *, limit: int = 1000, marker: str | None = None, properties: Mapping[str, str] | None = None,
    ) -> list[Image]:
        found: list[Image] = []
        while len(found) < limit:
            asked = {**(properties or {}), "limit": str(min(limit, 1000))} | ({"marker": marker} if marker else {})
            page = self._call(lambda asked=asked: self._glance.get(f"{self._base()}/images", params=asked)).json()  # type: ignore[misc]
            found += [image for image in map(_image, page["images"]) if self._sees(ctxt, image)]
            if not page["images"] or "next" not in page:
                break
            marker = page["images"][-1]["id"]
        return found[:limit]

    def source(self, ctxt: RequestContext, image: Image) -> ImageSource:
        base = self._call(self._base)
        return ImageSource(
            image_id=image.id, url=f"{base}/images/{image.id}/file", disk_format=image.disk_format or "raw",
            size=image.size, os_hash_algo=image.os_hash_algo, os_hash_value=image.os_hash_value,
        )

    def target(self, ctxt: RequestContext, image: Image) -> ImageTarget:
        return ImageTarget(image_id=image.id, url=f"{self._call(self._base)}/images/{image.id}/file")

    def declare(self, ctxt: RequestContext, image_id: str, *, disk_format: str, container_format: str) -> Image:
        self._mine(ctxt, image_id)
        wanted = {"disk_format": disk_format, "container_format": container_format}
        changes = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in wanted.items()]
        return self._patched(image_id, changes)

    def create(self, ctxt: RequestContext, image: Image) -> Image:
        body = {name: getattr(image, name) for name in ("id", "name", "container_format", "disk_format", "min_disk", "min_ram")}
        body |= {"visibility": "private", "owner": ctxt.project_id, "protected": image.protected, "tags": [*image.tags]}
        body |= image.properties
        return _image(self._call(lambda: self._glance.post(f"{self._base()}/images", json=body)).json())

    def set_properties(self, ctxt: RequestContext, image_id: str, properties: Mapping[str, str]) -> Image:
        now = self._mine(ctxt, image_id).properties
        changes = [
            {"op": "remove", "path": f"/{_pointer(name)}"}
            for name in now if name not in properties and not name.startswith(_GLANCES_OWN)
        ]
        changes += [
            {"op": "replace" if name in now else "add", "path": f"/{_pointer(name)}", "value": value}
            for name, value in properties.items() if now.get(name) != value
        ]
        if not changes:
            return self.get(ctxt, image_id)
        return self._patched(image_id, changes)

    def _patched(self, image_id: str, changes: Sequence[Mapping[str, str]]) -> Image:
        return _image(self._call(lambda: self._glance.patch(
            f"{self._base()}/images/{image_id}", json=[*changes],
            headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
        )).json())

    def upload(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> Image:
        self._mine(ctxt, image_id)
        self._call(lambda: self._glance.put(
            f"{self._base()}/images/{image_id}/file", data=iter(chunks), headers={"Content-Type": "application/octet-stream"},
        ))
        return self.get(ctxt, image_id)

    def download(self, ctxt: RequestContext, image_id: str) -> Iterator[bytes]:
        self.get(ctxt, image_id)
        answer = self._call(lambda: self._glance.get(
            f"{self._base()}/images/{image_id}/file", stream=True, headers={"Accept": "application/octet-stream"},
        ))
        if answer.status_code == 204:
            raise Conflict(f"Image {image_id} has no data.")
        return answer.iter_content(_BLOCK)  # type: ignore[no-any-return]

    def delete(self, ctxt: RequestContext, image_id: str) -> None:
        self._mine(ctxt, image_id)
        self._call(lambda: self._glance.delete(f"{self._base()}/images/{image_id}"))

    def _mine(self, ctxt: RequestContext, image_id: str) -> Image:
        image = self.get(ctxt, image_id)
        if not ctxt.is_admin and image.owner != ctxt.project_id:
            raise Forbidden(f"You are not permitted to modify image {image_id}.")
        return image

    def _sees(self, ctxt: RequestContext, image: Image) -> bool:
        if ctxt.is_admin or image.visibility in {"public", "community"} or image.owner == ctxt.project_id:
            return True
        if image.visibility != "shared" or ctxt.project_id is None:
            return False
        answer = self._glance.get(f"{self._base()}/images/{image.id}/members/{ctxt.project_id}", raise_exc=False)
        return answer.status_code == 200

    def _base(self) -> str:
        """Answer the URL of v2, whether the catalog's (or the override) names the version or not."""
        endpoint: str | None = self._glance.get_endpoint()
        if endpoint is None:
            raise errors.EndpointNotFound("There is no image service in the catalog.")
        return f"{endpoint.rstrip('/').removesuffix('/v2').rstrip('/')}/v2"

    @staticmethod
    def _call(send: Callable[[], Any]) -> Any:
        """Send, and turn what keystoneauth raises into our families."""
        try:
            return send()
        except errors.HttpError as error:
            status = error.http_status
            if status == 413 or (status == 403 and "quota" in _reason(error).lower()):
                raise OverQuota("Quota exceeded for images.", details=str(error)) from error
            if status in _FAMILIES:
                raise _FAMILIES[status](_reason(error)) from error
            raise Unavailable("The image service does not answer as it should.", details=str(error)) from error
        except errors.ClientException as error:
            raise Unavailable("The image service does not answer now.", details=str(error)) from error


def _reason(error: errors.HttpError) -> str:
    """Answer Glance's own words, which keystoneauth does not find: JSON without an envelope, or a web page."""
    response = error.response
    if response is not None and "json" in response.headers.get("Content-Type", ""):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return html.unescape(_TAGS.sub(" ", str(response.json()["message"]))).strip()[:1024]
    if response is not None and "html" in response.headers.get("Content-Type", ""):
        return " ".join(html.unescape(_TAGS.sub(" ", response.text)).split())[:1024]
    return str(error.message)[:1024]


def _pointer(name: str) -> str:
    """Answer a property's name as one element of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _image(body: dict[str, Any]) -> Image:
    values: dict[str, Any] = {name: body[name] for name in _FIELDS if body.get(name) is not None}
    properties = {
        name: str(value) for name, value in body.items() if name not in _LINKS and name not in _FIELDS and value is not None
    }
    return Image(
        **values, tags=tuple(body.get("tags", ())), properties=properties, created_at=_moment(body.get("created_at")),
        updated_at=_moment(body.get("updated_at")),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=None)
