"""Drivers: how a host is chosen. One per file, found by entry point (novalike.scheduler.drivers)."""
