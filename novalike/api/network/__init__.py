"""Neutron v2.0 over the local network service: collections as tables of attributes."""
