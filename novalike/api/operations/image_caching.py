"""Have images on hosts before a server needs them there."""

from __future__ import annotations

from collections.abc import Sequence

from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.exception import Conflict, Invalid, NotFound
from novalike.objects.image import ImageSource
from novalike.rpc.compute import ImageCaching


def ask(services: ApiServices, ctxt: RequestContext, hosts: Sequence[str], image_ids: Sequence[str]) -> list[str]:
    """Ask those of the hosts which are up to fetch images; answer which were asked. They do it later, or not: nobody waits.

    Raises Invalid for an image which is not there or has no bytes.
    """
    sources = [_source(services, ctxt, image_id) for image_id in image_ids]
    known = {service.host: service for service in Hosts(services).list_services(binary="novalike-compute")}
    asked = [host for host in hosts if host in known and known[host].up and not known[host].disabled]
    for host in asked:
        for source in sources:
            services.doorbell.post(lambda host=host, source=source: (  # type: ignore[misc]  # bound at once
                services.compute(ImageCaching, host).cache_image(ctxt, source=source)
            ))
    return asked


def _source(services: ApiServices, ctxt: RequestContext, image_id: str) -> ImageSource:
    try:
        return services.images.source(ctxt, services.images.get(ctxt, image_id))
    except (NotFound, Conflict) as error:        # of something in the body
        raise Invalid(str(error)) from error
