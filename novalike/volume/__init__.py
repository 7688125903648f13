"""Volumes: the interface the rest uses. Cinder's client and our own volume service come with storage."""
