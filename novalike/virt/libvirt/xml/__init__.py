"""libvirt's domain XML: one dataclass per device, which renders itself. Nothing here decides; machine.py does."""
