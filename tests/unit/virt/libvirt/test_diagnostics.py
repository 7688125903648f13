"""What libvirt counts, as diagnostics."""

from __future__ import annotations

from novalike.objects.network_info import Vif
from novalike.virt.libvirt import diagnostics
from tests.factories_instances import instance

STATISTICS = {
    "state.state": 1, "vcpu.current": 1, "vcpu.maximum": 2, "vcpu.0.state": 1, "vcpu.0.time": 5_000,
    "balloon.current": 131072, "balloon.maximum": 262144, "balloon.unused": 65536, "balloon.rss": 99,
    "net.count": 1, "net.0.name": "tap1", "net.0.rx.bytes": 10, "net.0.rx.pkts": 2, "net.0.rx.errs": 0, "net.0.rx.drop": 1,
    "net.0.tx.bytes": 20, "net.0.tx.pkts": 4, "net.0.tx.errs": 0, "net.0.tx.drop": 0,
    "block.count": 1, "block.0.name": "vda", "block.0.rd.reqs": 3, "block.0.rd.bytes": 4096, "block.0.wr.reqs": 1, "block.0.wr.bytes": 512,
}


def test_all_forms():
    server = instance(network_info=(Vif(port_id="p", network_id="n", label="l", mac="fa:16:3e:00:00:01", tap="tap1"),))
    found = diagnostics.read(STATISTICS, server, hypervisor="kvm", uptime=7)
    assert (found.state, found.driver, found.hypervisor, found.hypervisor_os, found.uptime) == ("running", "libvirt", "kvm", "linux", 7)
    assert (found.memory_maximum, found.memory_used) == (256, 64)
    assert [(cpu.id, cpu.time) for cpu in found.cpus] == [(0, 5_000)], "a CPU which is off counts nothing"
    (nic,), (disk,) = found.nics, found.disks
    assert (nic.mac_address, nic.rx_octets, nic.rx_drop, nic.tx_packets, nic.rx_rate) == ("fa:16:3e:00:00:01", 10, 1, 4, None)
    assert (disk.read_bytes, disk.read_requests, disk.write_bytes, disk.errors_count) == (4096, 3, 512, None)
    assert found.free_form == {
        "cpu0_time": 5_000, "vda_read_req": 3, "vda_read": 4096, "vda_write_req": 1, "vda_write": 512, "vda_errors": -1,
        "memory": 262144, "memory-actual": 131072, "memory-unused": 65536, "memory-rss": 99,
        "tap1_rx": 10, "tap1_rx_packets": 2, "tap1_rx_errors": 0, "tap1_rx_drop": 1,
        "tap1_tx": 20, "tap1_tx_packets": 4, "tap1_tx_errors": 0, "tap1_tx_drop": 0,
    }
