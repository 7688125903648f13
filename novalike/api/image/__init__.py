"""Glance v2 over the local image service."""
