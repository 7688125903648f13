"""The volume service as the rest of the code uses it: Cinder's attachments, as they are since its version 3.44."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from novalike.context import RequestContext
from novalike.exception import NotBuilt
from novalike.objects.secret import Secret
from novalike.objects.tasks import Caller
from novalike.objects.volume import Volume


class VolumeClient(Protocol):
    """What compute needs of a volume service.

    The API looks with the caller's context; the conductor reserves and releases for `Caller.project_id`, with the service's
    own rights. Everything a conductor calls may be called again after a crash. A connection is JSON in a Secret:
    `{"driver_volume_type": ..., "data": {...}}`; it is fetched anew for each order and stored nowhere.
    """

    def get(self, ctxt: RequestContext, volume_id: str) -> Volume:
        """Answer a volume which the caller may use. Raises NotFound."""
        ...

    def reserve(self, caller: Caller, volume_id: str, instance_uuid: str) -> str:
        """Take a volume for a server; answer the attachment's id.

        The attachment which the server has already is answered again. Raises NotFound, Invalid when the volume is taken.
        """
        ...

    def connect(self, caller: Caller, attachment_id: str, connector: Mapping[str, str], *, device: str | None = None) -> Secret:
        """Let the host with this connector reach the volume; answer how. Raises NotFound.

        Also for an attachment which another host had until now. `device` is what the guest calls it.
        """
        ...

    def connection(self, caller: Caller, attachment_id: str) -> Secret:
        """Answer how the host which was connected last reaches the volume. Raises NotFound."""
        ...

    def complete(self, caller: Caller, attachment_id: str) -> None:
        """Note that the guest has the volume. Raises NotFound."""
        ...

    def begin_detaching(self, caller: Caller, volume_id: str) -> None:
        """Note that the volume is about to be detached: nobody else may begin to. Raises NotFound, Invalid."""
        ...

    def roll_detaching(self, caller: Caller, volume_id: str) -> None:
        """Note that the volume is not detached after all. Fine when nobody was about to."""
        ...

    def release(self, caller: Caller, volume_id: str, instance_uuid: str) -> None:
        """Delete the server's attachments to the volume. Fine when there are none, and when the volume is gone."""
        ...

    def delete(self, caller: Caller, volume_id: str) -> None:
        """Delete a volume. Fine when it is gone. Raises Conflict or Invalid while somebody uses it."""
        ...


class NoVolumes:
    """Stands for the volume service where a cloud has none."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotBuilt("This cloud has no volume service")

    get = reserve = connect = connection = complete = begin_detaching = roll_detaching = release = delete = _refuse
