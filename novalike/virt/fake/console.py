"""The console text of a guest which never ran: what a small Linux prints when it boots, with facts about the server."""

from __future__ import annotations

import json
from datetime import UTC, datetime

_BOOT = """\
[    0.000000] Linux version 6.1.0-novalike (fake@novalike) #1 SMP PREEMPT_DYNAMIC
[    0.000000] Command line: console=tty0 console=ttyS0
[    0.004000] Memory: {memory_kb}K/{memory_kb}K available
[    0.110312] smp: Brought up 1 node, {vcpus} CPU{plural}
[    0.412071] virtio_blk virtio1: [vda] {sectors} 512-byte logical blocks ({disk_gb} GiB)
{nics}[    1.204417] EXT4-fs (vda1): mounted filesystem with ordered data mode.
[    1.731902] systemd[1]: Hostname set to <{hostname}>.
cloud-init[312]: Cloud-init v. 23.4 running 'init' at {when}. Up 2.11 seconds.
cloud-init[312]: instance-id: {uuid}
cloud-init[312]: name: {display_name}
cloud-init[312]: metadata: {metadata}
cloud-init[498]: Cloud-init v. 23.4 finished at {when}. Datasource DataSourceNovalike. Up 2.95 seconds

novalike guest {uuid} ttyS0

{hostname} login:
"""
_NIC = "[    0.52{index:04d}] virtio_net virtio{index} eth{index}: {mac}\n"


def boot_log(document: dict[str, object], started: float) -> str:
    """Answer the text of one boot. `document` is what the guest was made from, `started` epoch seconds."""
    vcpus = int(str(document["vcpus"]))
    disk_gb = int(str(document["disk_gb"]))
    macs = document["macs"]
    return _BOOT.format(
        memory_kb=int(str(document["memory_mb"])) * 1024, vcpus=vcpus, plural="" if vcpus == 1 else "s",
        sectors=disk_gb * 2097152, disk_gb=disk_gb, hostname=document["hostname"], uuid=document["uuid"],
        display_name=document["display_name"], metadata=json.dumps(document["metadata"], sort_keys=True),
        nics="".join(_NIC.format(index=index, mac=mac) for index, mac in enumerate(macs if isinstance(macs, list) else [])),
        when=datetime.fromtimestamp(started, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
    )
