"""The image client over a real Glance v2.

It asks as our service user, so it checks itself that the caller may see an image: Glance's own answer would be the
administrator's. With whom an image is shared is asked of Glance each time, and kept nowhere here.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import requests
from keystoneauth1 import exceptions as errors
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session

from novalike.context import RequestContext
from novalike.exception import Conflict, Forbidden, Invalid, NotFound, OverQuota, TooLarge, Unavailable
from novalike.identity.sessions import adapter_settings
from novalike.objects.image import Image, ImageSource, ImageTarget

LOG = logging.getLogger(__name__)

_BLOCK = 1 << 20
_TAGS = re.compile(r"<[^>]*>")
_FIELDS = ("id", "name", "status", "visibility", "owner", "container_format", "disk_format", "size", "virtual_size", "min_disk",
           "min_ram", "checksum", "os_hash_algo", "os_hash_value", "os_hidden", "protected")
_LINKS = frozenset({"self", "file", "schema", "locations", "direct_url", "stores", "tags", "created_at", "updated_at"})
#: Properties which Glance itself sets, and lets nobody change.
_GLANCES_OWN = ("os_glance_", "stores")
#: Seconds before all endpoints are tried again, doubling up to the second.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
_AWAY = (errors.ConnectFailure, errors.RetriableConnectionFailure, errors.ServiceUnavailable, errors.BadGateway, errors.GatewayTimeout)
_FAMILIES: dict[int, type[Exception]] = {400: Invalid, 403: Forbidden, 404: NotFound, 409: Conflict, 413: TooLarge}


class GlanceImageClient:
    """Implements image.client.ImageClient with a session of the service user. `section` is [glance].

    Every method raises Unavailable when no endpoint of Glance answers. `sleep` is for tests.
    """

    def __init__(self, session: Session, section: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        # Tried again here, because keystoneauth knows one endpoint only.
        settings = adapter_settings(section) | {"connect_retries": 0, "status_code_retries": 0}
        self._glance = Adapter(session, **settings, min_version="2", max_version="2.latest")
        self._servers = [_versioned(url) for url in section.api_servers]
        self._rounds, self._sleep = section.num_retries + 1, sleep

    def get(self, ctxt: RequestContext, image_id: str) -> Image:
        image = _image(self._call("GET", f"/images/{image_id}").json())
        if not self._sees(ctxt, image):
            raise NotFound(f"Image {image_id} could not be found.")
        return image

    def list(
        self, ctxt: RequestContext, *, limit: int = 1000, marker: str | None = None, properties: Mapping[str, str] | None = None,
    ) -> list[Image]:
        found: list[Image] = []
        while len(found) < limit:
            asked = {**(properties or {}), "limit": str(min(limit, 1000))} | ({"marker": marker} if marker else {})
            page = self._call("GET", "/images", params=asked).json()
            found += [image for image in map(_image, page["images"]) if self._sees(ctxt, image, accepted=True)]
            if not page["images"] or "next" not in page:
                break
            marker = page["images"][-1]["id"]
        return found[:limit]

    def source(self, ctxt: RequestContext, image: Image) -> ImageSource:
        first, *others = [f"{base}/images/{image.id}/file" for base in self._bases()]
        return ImageSource(
            image_id=image.id, url=first, others=tuple(others), disk_format=image.disk_format or "raw",
            size=image.size, os_hash_algo=image.os_hash_algo, os_hash_value=image.os_hash_value,
        )

    def target(self, ctxt: RequestContext, image: Image) -> ImageTarget:
        return ImageTarget(image_id=image.id, url=f"{self._bases()[0]}/images/{image.id}/file")

    def declare(self, ctxt: RequestContext, image_id: str, *, disk_format: str, container_format: str) -> Image:
        self._mine(ctxt, image_id)
        wanted = {"disk_format": disk_format, "container_format": container_format}
        changes = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in wanted.items()]
        return self._patched(image_id, changes)

    def create(self, ctxt: RequestContext, image: Image) -> Image:
        body = {name: getattr(image, name) for name in ("id", "name", "container_format", "disk_format", "min_disk", "min_ram")}
        body |= {"visibility": "private", "owner": ctxt.project_id, "protected": image.protected, "tags": [*image.tags]}
        body |= image.properties
        return _image(self._call("POST", "/images", json=body).json())

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
        return _image(self._call(
            "PATCH", f"/images/{image_id}", json=[*changes], headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
        ).json())

    def upload(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> Image:
        self._mine(ctxt, image_id)
        # Once: what was read of `chunks` cannot be sent again.
        self._call(
            "PUT", f"/images/{image_id}/file", rounds=1, data=iter(chunks), headers={"Content-Type": "application/octet-stream"},
        )
        return self.get(ctxt, image_id)

    def download(self, ctxt: RequestContext, image_id: str) -> Iterator[bytes]:
        image = self.get(ctxt, image_id)
        answer = self._bytes(image_id, 0)
        if answer.status_code == 204:
            raise Conflict(f"Image {image_id} has no data.")
        return self._checked(image, answer)

    def _checked(self, image: Image, answer: Any) -> Iterator[bytes]:
        """Answer the bytes, going on where they broke off, and raise Unavailable at the end when they are not the announced ones."""
        digest = None
        if image.os_hash_value and image.os_hash_algo and image.os_hash_algo in hashlib.algorithms_available:
            digest = hashlib.new(image.os_hash_algo)
        have = breaks = 0
        while True:
            try:
                for chunk in answer.iter_content(_BLOCK):
                    have += len(chunk)
                    if digest is not None:
                        digest.update(chunk)
                    yield chunk
                if image.size is None or have >= image.size:
                    break
                raise requests.ConnectionError(f"{have} of {image.size} bytes came")
            except requests.RequestException as error:
                breaks += 1
                if breaks > self._rounds * len(self._bases()):
                    raise Unavailable(f"Image {image.id} broke off after {have} bytes.", details=str(error)) from error
                LOG.warning("image %s broke off after %d bytes, going on: %s", image.id, have, error)
            answer = self._bytes(image.id, have)
            if answer.status_code != 206:
                raise Unavailable(f"Image {image.id} broke off after {have} bytes, and the image service cannot continue there.")
        if (image.size is not None and have != image.size) or (digest is not None and digest.hexdigest() != image.os_hash_value):
            raise Unavailable(f"The bytes of image {image.id} are not those which the image service announced.")

    def _bytes(self, image_id: str, begin: int) -> Any:
        headers = {"Accept": "application/octet-stream"} | ({"Range": f"bytes={begin}-"} if begin else {})
        return self._call("GET", f"/images/{image_id}/file", stream=True, headers=headers)

    def delete(self, ctxt: RequestContext, image_id: str) -> None:
        self._mine(ctxt, image_id)
        self._call("DELETE", f"/images/{image_id}")

    def _mine(self, ctxt: RequestContext, image_id: str) -> Image:
        image = self.get(ctxt, image_id)
        if not ctxt.is_admin and image.owner != ctxt.project_id:
            raise Forbidden(f"You are not permitted to modify image {image_id}.")
        return image

    def _sees(self, ctxt: RequestContext, image: Image, *, accepted: bool = False) -> bool:
        """Tell whether the caller may see an image. Who shares it is told by Glance: a member may ask for it by its id, and has
        it in lists once `accepted`."""
        if ctxt.is_admin or image.visibility in {"public", "community"} or image.owner == ctxt.project_id:
            return True
        if image.visibility != "shared" or ctxt.project_id is None:
            return False
        try:
            member = self._call("GET", f"/images/{image.id}/members/{ctxt.project_id}").json()
        except NotFound:
            return False
        return not accepted or member["status"] == "accepted"

    def _bases(self) -> Sequence[str]:
        """Answer the URLs of v2, whether the catalog's (or the override) names the version or not. Raises Unavailable."""
        if self._servers:
            return self._servers
        try:
            endpoint: str | None = self._glance.get_endpoint()
        except errors.ClientException as error:
            raise Unavailable("The image service cannot be found now.", details=str(error)) from error
        if endpoint is None:
            raise Unavailable("The image service is not in the catalog.")
        return [_versioned(endpoint)]

    def _call(self, method: str, path: str, *, rounds: int | None = None, **more: Any) -> Any:
        """Ask the endpoints in turn until one answers, all of them again after a pause; answer the response."""
        rounds, pause = rounds or self._rounds, _FIRST_PAUSE
        for left in reversed(range(rounds)):
            for base in self._bases():
                try:
                    return self._asked(f"{base}{path}", method, more)
                except Unavailable as error:
                    LOG.warning("%s does not answer (%s); %d more tries", base, error.details, left)
                    failure = error
                    if not isinstance(error.__cause__, _AWAY) or "data" in more:
                        raise
            if left:
                self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        raise failure

    def _asked(self, url: str, method: str, more: Mapping[str, Any]) -> Any:
        """Send once, and turn what keystoneauth raises into our families."""
        try:
            return self._glance.request(url, method, **more)
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


def _versioned(url: str) -> str:
    return f"{url.rstrip('/').removesuffix('/v2').rstrip('/')}/v2"


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
