"""What hosts are told of networks, on each database."""

from __future__ import annotations

from novalike.db import network_hosts


def test_networks_which_are_no_more_are_forgotten_when_hosts_know(database):
    database.write(network_hosts.touch, [("h1", "gone"), ("h2", "gone"), ("h1", "other")])
    for _ in range(101):
        database.write(network_hosts.touch, [("h1", "other")])
    database.write(network_hosts.forget)
    assert sorted(database.fetch(network_hosts.changed_since, "h1", 0)) == ["other"]
    assert sorted(database.fetch(network_hosts.changed_since, "h2", 0)) == ["gone"], "this host may not have looked yet"
