"""Tells other services what happens to servers, as Nova does: events over oslo.messaging, queued, never waited for."""
