"""Keystone v3 over the local identity service, one file per kind of resource."""
