from dataclasses import replace

import pytest

from novalike.exception import BuildFailed
from novalike.virt.libvirt import demands
from tests.factories_instances import SMALL, instance


def of(properties=None, vcpus=1, **specs):
    flavor = replace(SMALL, vcpus=vcpus, extra_specs={name.replace("__", ":"): value for name, value in specs.items()})
    return demands.of(instance(flavor=flavor, image_properties=properties or {}))


def test_defaults():
    plain = of()
    assert (plain.disk_bus, plain.vif_model, plain.rng, plain.guest_agent, plain.uefi) == ("virtio", "virtio", True, False, False)


def test_image_properties():
    wanted = of({
        "hw_disk_bus": "scsi", "hw_vif_model": "e1000", "hw_machine_type": "pc-q35-7.2", "hw_qemu_guest_agent": "yes",
        "hw_firmware_type": "uefi", "hw_video_model": "qxl", "hw_pointer_model": "ps2mouse", "os_command_line": "root=LABEL=x",
        "img_config_drive": "mandatory", "hw_serial_port_count": "2", "hw_watchdog_action": "reset"})
    assert (wanted.disk_bus, wanted.vif_model, wanted.machine_type, wanted.guest_agent) == ("scsi", "e1000", "pc-q35-7.2", True)
    assert (wanted.uefi, wanted.video_model, wanted.pointer_model, wanted.command_line) == (True, "qxl", "ps2mouse", "root=LABEL=x")
    assert (wanted.config_drive, wanted.serial_ports, wanted.watchdog) == (True, 2, "reset")


def test_quiesce_brings_the_agent():
    assert of({"os_require_quiesce": "true"}).guest_agent


def test_flavor_extra_specs():
    wanted = of(quota__cpu_shares="2048", quota__cpu_quota="50000", quota__cpu_period="100000", hw_rng__allowed="False", quota__disk_read_iops_sec="100")
    assert (wanted.cpu_shares, wanted.cpu_quota, wanted.cpu_period, wanted.rng) == (2048, 50000, 100000, False)
    assert wanted.disk_limits == {"read_iops_sec": 100}


@pytest.mark.parametrize(("specs", "properties", "topology"), [
    ({}, {}, (8, 1, 1)),
    ({"hw__cpu_sockets": "2"}, {}, (2, 4, 1)),
    ({"hw__cpu_cores": "4"}, {"hw_cpu_cores": "2"}, (2, 4, 1)),
    ({}, {"hw_cpu_threads": "2", "hw_cpu_sockets": "1"}, (1, 4, 2)),
])
def test_topology(specs, properties, topology):
    wanted = of(properties, vcpus=8, **specs)
    assert (wanted.sockets, wanted.cores, wanted.threads) == topology


@pytest.mark.parametrize(("properties", "specs", "words"), [
    ({"hw_disk_bus": "xen"}, {}, "hw_disk_bus is 'xen'"),
    ({"hw_vif_model": "spapr-vlan"}, {}, "hw_vif_model"),
    ({"hw_machine_type": "pc'/><evil"}, {}, "hw_machine_type"),
    ({"hw_tpm_version": "2.0"}, {}, "hw_tpm_version"),
    ({}, {"hw__cpu_policy": "dedicated"}, "hw:cpu_policy"),
    ({}, {"pci_passthrough__alias": "gpu:1"}, "pci_passthrough:alias"),
    ({}, {"quota__cpu_shares": "many"}, "quota:cpu_shares"),
    ({}, {"hw__cpu_sockets": "3"}, "topology"),
    ({"hw_video_ram": "64"}, {}, "hw_video_ram"),
])
def test_what_cannot_be_had_is_refused_for_good(properties, specs, words):
    with pytest.raises(BuildFailed, match=words) as failure:
        of(properties, vcpus=8, **specs)
    assert not failure.value.retry


def test_words_which_ask_for_nothing_are_fine():
    of({"os_secure_boot": "disabled"}, hw__cpu_policy="shared")
