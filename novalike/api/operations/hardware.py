"""Whether what a flavor and an image want of NUMA cells, CPUs, pages and PCI devices can be understood."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from novalike.api.services import ApiServices
from novalike.exception import Invalid
from novalike.hardware import numa, pci
from novalike.objects.flavor import Flavor

_aliases = lru_cache(maxsize=8)(pci.aliases)     # the configuration's, read once


def check(services: ApiServices, flavor: Flavor, properties: Mapping[str, str]) -> None:
    """Raise Invalid, with Nova's words, for a wish which no host could grant: flavor and image at odds, unknown names."""
    numa.wish(flavor, properties, _aliases(tuple(services.conf.pci.alias)))


def check_rebuild(services: ApiServices, flavor: Flavor, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Raise Invalid when a new image would change what a server holds of its host: a rebuild claims nothing."""
    aliases = _aliases(tuple(services.conf.pci.alias))
    wanted = numa.wish(flavor, new, aliases)
    try:
        held = numa.wish(flavor, old, aliases)
    except Invalid:                              # by a server of before its properties meant something
        held = None
    if wanted != held:
        raise Invalid(
            "An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this instance.",
        )
