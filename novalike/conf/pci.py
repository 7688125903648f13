"""[pci]: devices of hosts which are given to servers."""

from oslo_config import cfg

GROUP = "pci"

OPTIONS = [
    cfg.MultiStrOpt("device_spec", default=[], deprecated_name="passthrough_whitelist", help=(
        "Which devices this host offers: JSON objects (or lists of them) with vendor_id, product_id, address (such as *:06:*.* or "
        "an object of regular expressions domain, bus, slot, function) and physical_network. May be given many times."
    )),
    cfg.MultiStrOpt("alias", default=[], help=(
        "Names of devices for flavors' pci_passthrough:alias, the same for API and scheduler: JSON objects with name, vendor_id, "
        "product_id, device_type (type-PCI, type-PF, type-VF) and numa_policy (required, preferred, legacy, socket). Objects of one "
        "name are alternatives. May be given many times."
    )),
]
