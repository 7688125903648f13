"""A nova.conf as operators have one: what of it means the same here, what is passed over, and that it is said."""

import logging

import pytest

from novalike import unread_options
from novalike.cmd import process

#: The installation guide's controller and compute node in one, and what is often added.
NOVA_CONF = """
[DEFAULT]
my_ip = 10.0.0.11
host = compute1
transport_url = rabbit://openstack:secret@controller:5672/
enabled_apis = osapi_compute,metadata
osapi_compute_listen = 10.0.0.11
compute_driver = libvirt.LibvirtDriver
state_path = /var/lib/nova
instances_path = $state_path/instances
cpu_allocation_ratio = 8.0
reserved_host_memory_mb = 2048
vif_plugging_timeout = 300
vif_plugging_is_fatal = true
resume_guests_state_on_host_boot = true
use_neutron = true
rootwrap_config = /etc/nova/rootwrap.conf
[api]
max_limit = 500
dhcp_domain = cloud.example
[api_database]
connection = mysql+pymysql://nova:secret@controller/nova_api
[database]
connection = mysql+pymysql://nova:secret@controller/nova
[filter_scheduler]
enabled_filters = ComputeFilter,ServerGroupAntiAffinityFilter
[glance]
api_servers = http://controller:9292
[keystone_authtoken]
auth_type = password
auth_url = http://controller:5000/
username = nova
password = secret
memcached_servers = controller:11211
[libvirt]
virt_type = kvm
cpu_mode = host-model
hw_machine_type = x86_64=q35
swtpm_enabled = false
[neutron]
auth_type = password
auth_url = http://controller:5000
username = neutron
password = secret
region_name = RegionOne
service_metadata_proxy = true
metadata_proxy_shared_secret = secret
ovs_bridge = br-int
[oslo_concurrency]
lock_path = /var/lib/nova/tmp
[oslo_messaging_rabbit]
rabbit_quorum_queue = true
[os_vif_ovs]
ovsdb_connection = tcp:127.0.0.1:6640
isolate_vif = true
[placement]
auth_type = password
auth_url = http://controller:5000/v3
username = placement
password = secret
[quota]
instances = 20
[service_user]
send_service_user_token = true
auth_type = password
auth_url = http://controller:5000
username = nova
password = secret
[serial_console]
proxyclient_address = $my_ip
[vnc]
enabled = true
server_listen = 0.0.0.0
server_proxyclient_address = $my_ip
novncproxy_base_url = http://controller:6080/vnc_auto.html
"""


@pytest.fixture
def conf(tmp_path):
    file = tmp_path / "nova.conf"
    file.write_text(NOVA_CONF)
    return process.read("novalike-api", ["--config-file", str(file)])


def test_a_nova_conf_is_read(conf):
    assert (conf.host, conf.my_ip, conf.instances_path, conf.cpu_allocation_ratio) == ("compute1", "10.0.0.11", "/var/lib/nova/instances", 8.0)
    assert (conf.api.max_limit, conf.network.dhcp_domain, conf.quota.instances) == (500, "cloud.example", 20)
    assert conf.api_database.connection.endswith("/nova_api") and conf.database.connection.endswith("/nova")
    assert (conf.neutron.auth_type, conf.neutron.region_name, conf.neutron.ovs_bridge) == ("password", "RegionOne", "br-int")
    assert conf.glance.api_servers == ["http://controller:9292"]
    assert conf.os_vif_ovs.isolate_vif and conf.filter_scheduler.enabled_filters == ["ComputeFilter", "ServerGroupAntiAffinityFilter"]


def test_consoles_listen_where_nobody_else_reaches_them_whatever_it_says(conf):
    assert {conf.vnc.server_listen, conf.vnc.server_proxyclient_address, conf.serial_console.proxyclient_address} == {"127.0.0.1"}


def test_what_nothing_reads_is_named_in_the_log(conf, caplog):
    found = list(unread_options.unread(conf, conf.config_file))
    assert found == ["[DEFAULT]use_neutron", "[DEFAULT]rootwrap_config", "[libvirt]swtpm_enabled", "[placement]"]
    with caplog.at_level(logging.WARNING):
        unread_options.warn(conf)
    assert "no use for: [DEFAULT]use_neutron, [DEFAULT]rootwrap_config" in caplog.text
    assert "secret" not in caplog.text


def test_nothing_is_said_without_files(caplog):
    unread_options.warn(process.read("novalike-api", []))
    assert not caplog.text
