"""Networks: the interface the rest uses, a client of Neutron, and our own network service in local/."""
