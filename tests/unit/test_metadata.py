import base64
import json
from dataclasses import replace

import pytest

from novalike import metadata
from novalike.exception import NotFound
from novalike.metadata import Facts
from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, Subnet, Vif
from novalike.objects.secret import Secret

KEY = "ssh-ed25519 AAAA key@here"


def instance(**changes) -> Instance:
    values = {
        "id": 26, "uuid": "11111111-2222-4333-8444-555555555555", "project_id": "p", "user_id": "u", "display_name": "Web 1",
        "hostname": "web-1", "vm_state": "active", "flavor": Flavor(flavorid="1", name="m1.tiny", vcpus=1, memory_mb=128, root_gb=1),
        "key_name": "mine", "key_data": KEY, "metadata": {"role": "web"}, "availability_zone": "nova", "reservation_id": "r-abc",
        "user_data": base64.b64encode(b"#!/bin/sh\ntrue\n").decode(), "launch_index": 2,
    }
    return Instance(**(values | changes))


STATIC = Vif(
    port_id="77777777-aaaa-4bbb-8ccc-dddddddddddd", network_id="net-1", label="private", mac="fa:16:3e:00:00:01", tap="tap77777777-aa",
    mtu=1450, tag="front", fixed_ips=(FixedIp(address="10.0.0.5", subnet_id="s1", floating=("203.0.113.9",)),),
    subnets=(Subnet(id="s1", cidr="10.0.0.0/24", gateway="10.0.0.1", dns=("9.9.9.9",), routes=(("192.168.0.0/16", "10.0.0.2"),)),),
)
DHCP = Vif(
    port_id="88888888-aaaa-4bbb-8ccc-dddddddddddd", network_id="net-2", label="public", mac="fa:16:3e:00:00:02",
    fixed_ips=(FixedIp(address="10.1.0.5", subnet_id="s2"),),
    subnets=(Subnet(id="s2", cidr="10.1.0.0/24", gateway="10.1.0.1", dhcp_server="10.1.0.2"),),
)


def text(facts: Facts, path: str) -> str:
    return metadata.lookup(facts, path).content.decode()


def test_root_lists_ec2_versions_and_openstack_lists_its_own():
    facts = Facts(instance=instance())
    assert text(facts, "/").split("\n")[0] == "1.0"
    assert text(facts, "/").split("\n")[-1] == "latest"
    assert text(facts, "/openstack").split("\n")[-2:] == ["2025-04-04", "latest"]
    assert text(facts, "/openstack/") == text(facts, "/openstack")


def test_a_version_lists_its_documents():
    facts = Facts(instance=instance())
    assert text(facts, "/openstack/2012-08-10").split("\n") == ["meta_data.json", "user_data"]
    assert text(facts, "/openstack/latest/").split("\n") == [
        "meta_data.json", "user_data", "password", "vendor_data.json", "vendor_data2.json", "network_data.json"]
    assert "user_data" not in text(Facts(instance=instance(user_data=None)), "/openstack/latest")


def test_meta_data_grows_with_its_version():
    facts = Facts(instance=instance(), vifs=(STATIC,), random_seed=b"\1" * 512)
    first = json.loads(text(facts, "/openstack/2012-08-10/meta_data.json"))
    assert first == {
        "uuid": facts.instance.uuid, "meta": {"role": "web"}, "public_keys": {"mine": KEY},
        "keys": [{"name": "mine", "type": "ssh", "data": KEY}], "hostname": "web-1.novalocal", "name": "Web 1", "launch_index": 2,
        "availability_zone": "nova"}
    assert "random_seed" in json.loads(text(facts, "/openstack/2013-04-04/meta_data.json"))
    latest = json.loads(text(facts, "/openstack/latest/meta_data.json"))
    assert latest["project_id"] == "p"
    assert latest["devices"] == [{"type": "nic", "bus": "none", "address": "none", "mac": STATIC.mac, "tags": ["front"]}]
    assert latest["dedicated_cpus"] == []


def test_an_unknown_later_version_answers_like_the_newest_before_it():
    facts = Facts(instance=instance())
    assert text(facts, "/openstack/2014-01-01") == text(facts, "/openstack/2013-10-17")
    assert text(facts, "/openstack/2099-01-01") == text(facts, "/openstack/latest")
    for path in ("/openstack/2001-01-01", "/openstack/nonsense", "/2010-01-01", "/nonsense"):
        with pytest.raises(NotFound):
            metadata.lookup(facts, path)


def test_static_and_dhcp_networks():
    document = metadata.network_data((STATIC, DHCP))
    assert document["links"][0] == {
        "id": "tap77777777-aa", "vif_id": STATIC.port_id, "type": "bridge", "mtu": 1450, "ethernet_mac_address": STATIC.mac}
    assert document["links"][1]["id"] == "tap88888888-aa"
    assert document["networks"][0] == {
        "id": "network0", "type": "ipv4", "link": "tap77777777-aa", "network_id": "net-1", "ip_address": "10.0.0.5",
        "netmask": "255.255.255.0", "services": [{"type": "dns", "address": "9.9.9.9"}],
        "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
                   {"network": "192.168.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.2"}]}
    assert document["networks"][1] == {"id": "network1", "type": "ipv4_dhcp", "link": "tap88888888-aa", "network_id": "net-2"}
    assert document["services"] == [{"type": "dns", "address": "9.9.9.9"}]


def test_a_network_whose_guests_make_themselves_addresses_says_so():
    six = replace(DHCP, fixed_ips=(FixedIp(address="fd00::5", subnet_id="s3", version=6),), subnets=(
        Subnet(id="s3", cidr="fd00::/64", version=6, gateway="fd00::1", dhcp_server="fd00::1", address_mode="slaac"),))
    [told] = metadata.network_data((six,))["networks"]
    assert told == {
        "id": "network0", "type": "ipv6_slaac", "link": "tap88888888-aa", "network_id": "net-2", "ip_address": "fd00::5",
        "netmask": "ffff:ffff:ffff:ffff::", "routes": [{"network": "::", "netmask": "::", "gateway": "fd00::1"}], "services": []}


def test_ec2_listing_and_values():
    facts = Facts(instance=instance(), vifs=(STATIC,))
    assert text(facts, "/latest") == "meta-data/\nuser-data"
    assert "public-keys/" in text(facts, "/latest/meta-data/").split("\n")
    assert text(facts, "/latest/meta-data/public-keys/") == "0=mine"
    assert text(facts, "/latest/meta-data/public-keys/0/") == "openssh-key"
    assert text(facts, "/latest/meta-data/public-keys/0/openssh-key") == KEY
    assert text(facts, "/2009-04-04/meta-data/instance-id") == "i-0000001a"
    assert text(facts, "/latest/meta-data/public-ipv4") == "203.0.113.9"
    assert text(facts, "/latest/meta-data/placement/availability-zone") == "nova"
    assert text(facts, "/latest/meta-data/security-groups") == "default"
    assert text(facts, "/latest/user-data") == "#!/bin/sh\ntrue\n"
    assert "instance-type" not in text(facts, "/1.0/meta-data/")
    with pytest.raises(NotFound):
        metadata.lookup(Facts(instance=instance(user_data=None)), "/latest/user-data")
    with pytest.raises(NotFound):
        metadata.lookup(facts, "/latest/meta-data/public-keys/0/_name")


def test_ec2_block_devices():
    disks = (
        BlockDevice(uuid="a", source_type="blank", destination_type="local", device_name="/dev/vdb"),
        BlockDevice(uuid="b", source_type="blank", destination_type="local", device_name="/dev/vdc", guest_format="swap"),
    )
    facts = Facts(instance=instance(root_device_name="/dev/vda"), block_devices=disks)
    assert text(facts, "/latest/meta-data/block-device-mapping").split("\n") == ["ami", "ephemeral0", "root", "swap"]
    assert text(facts, "/latest/meta-data/block-device-mapping/swap") == "/dev/vdc"


def test_password_posted_by_the_guest_is_read_in_pieces():
    assert text(Facts(instance=instance(system_metadata={"password_0": "ab", "password_1": "cd"})), "/openstack/latest/password") == "abcd"
    assert text(Facts(instance=instance()), "/openstack/latest/password") == ""


def test_config_drive_tree_holds_files_password_and_both_dialects():
    files = (("/etc/motd", base64.b64encode(b"hello").decode()),)
    facts = Facts(instance=instance(), vifs=(DHCP,), files=files, admin_password=Secret("s3cret"), vendor_data={"cloud": "ours"})
    tree = metadata.config_drive_tree(facts)
    meta = json.loads(tree["openstack/latest/meta_data.json"])
    assert meta["admin_pass"] == "s3cret"
    assert meta["files"] == [{"path": "/etc/motd", "content_path": "/content/0000"}]
    assert tree["openstack/content/0000"] == b"hello"
    assert json.loads(tree["openstack/latest/vendor_data2.json"]) == {"static": {"cloud": "ours"}}
    assert tree["openstack/latest/user_data"] == b"#!/bin/sh\ntrue\n"
    assert json.loads(tree["ec2/latest/meta-data.json"])["public-keys"] == {"0": {"openssh-key": KEY}}
    assert "openstack/latest/password" not in tree
    assert metadata.lookup(facts, "/openstack/content/0000").content == b"hello"
    with pytest.raises(NotFound):
        metadata.lookup(facts, "/openstack/content/0001")
