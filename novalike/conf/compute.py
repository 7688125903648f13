"""[compute]: more options of the compute daemon. Those below the line are ours and Nova has none like them."""

from oslo_config import cfg

GROUP = "compute"

OPTIONS = [
    cfg.IntOpt(
        "shutdown_retry_interval", default=10, min=1,
        help="Seconds between repeated requests to a guest to shut itself down.",
    ),
    cfg.IntOpt(
        "max_disk_devices_to_attach", default=-1, min=-1,
        help="Most disks which a server may have when one more volume is attached, its local ones counted; -1: no limit.",
    ),
    cfg.StrOpt(
        "provider_config_location", default="/etc/novalike/provider_config/",
        help="Folder of *.yaml files which declare custom resources and traits of this host, in Nova's format. Read at start.",
    ),
    cfg.StrOpt(
        "cpu_shared_set",
        help="CPUs of this host on which servers float (VCPU), such as 4-12,^8,15. Not set: all, or none when cpu_dedicated_set is.",
    ),
    cfg.StrOpt("cpu_dedicated_set", help="CPUs of this host to which vCPUs of servers are pinned, one each (PCPU)."),
    cfg.BoolOpt(
        "packing_host_numa_cells_allocation_strategy", default=False,
        help="Fill hosts' NUMA cells one by one, instead of taking the emptiest. Read by the scheduler.",
    ),
    # ---- ours
    cfg.FloatOpt(
        "lifecycle_event_delay", default=5.0, min=0,
        help="Seconds a guest must stay powered off before that is reported, so that a restart from inside is no stop. (Nova: "
             "15, and cannot be changed.)",
    ),
    cfg.IntOpt(
        "ledger_retention", default=86400, min=3600,
        help="Seconds for which the outcome of an order is kept, to be answered again. Must exceed every deadline.",
    ),
    cfg.IntOpt(
        "tombstone_retention", default=604800, min=86400,
        help="Seconds for which a removed server is remembered, so that a late message cannot build it again.",
    ),
    cfg.IntOpt(
        "interrupted_limit", default=3, min=1,
        help="A build during which the daemon died this often is reported as failed instead of being tried again here.",
    ),
    cfg.HostAddressOpt(
        "transfer_listen",
        help="Address where the disks of servers which move away are offered to their new hosts, while they need it. Each file is "
             "given to the bearer of a ticket which its move alone has; the bytes are not encrypted. Not set: my_ip.",
    ),
    cfg.PortOpt(
        "transfer_port", default=0,
        help="Port for it. 0: any free one; name one where a firewall stands between hypervisors.",
    ),
    cfg.IntOpt(
        "unsent_limit", default=1000, min=1,
        help="Reports which wait in memory while no conductor can be reached; outcomes beyond that wait on disk, other reports "
             "are dropped and made anew later.",
    ),
]
