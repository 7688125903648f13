"""The network agent: bridges, DHCP, filters, NAT and the metadata proxy of one host's networks."""
