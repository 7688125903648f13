"""Where a guest's memory is: its own NUMA cells, the host's which they lie in, and the size of pages."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaCell:
    """A guest's cell. `cpus` is a list of vCPUs as text, `host` the host's cell; memory in MiB, pages in KiB (None: small)."""

    id: int
    cpus: str
    memory_mb: int
    host: int
    page_kb: int | None = None

    def xml(self) -> Element:
        """Render as a cell of the guest's CPU."""
        return element("cell", {"id": self.id, "cpus": self.cpus, "memory": self.memory_mb * 1024, "unit": "KiB"})


def numa(cells: tuple[NumaCell, ...]) -> Element | None:
    """Render the cells which the guest sees; None when it has none."""
    return element("numa", None, *(cell.xml() for cell in cells)) if cells else None


def tune(cells: tuple[NumaCell, ...]) -> Element | None:
    """Render where each cell's memory has to come from."""
    if not cells:
        return None
    nodes = ",".join(str(node) for node in sorted({cell.host for cell in cells}))
    return element(
        "numatune", None, element("memory", {"mode": "strict", "nodeset": nodes}),
        *(element("memnode", {"cellid": cell.id, "mode": "strict", "nodeset": cell.host}) for cell in cells),
    )


def backing(cells: tuple[NumaCell, ...], *, shared: bool = False) -> Element | None:
    """Render the pages of cells which have larger ones, and that other processes of the host may look into the memory."""
    large = [cell for cell in cells if cell.page_kb is not None]
    if not large and not shared:
        return None
    pages = (element("page", {"size": cell.page_kb, "unit": "KiB", "nodeset": cell.id}) for cell in large)
    return element(
        "memoryBacking", None, element("hugepages", None, *pages) if large else None,
        element("source", {"type": "memfd"}) if not large else None, element("access", {"mode": "shared"}) if shared else None,
    )
