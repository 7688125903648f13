"""Hypervisor drivers behind one narrow interface."""
