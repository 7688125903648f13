"""Weighers: which host is the best. One per file, found by entry point (novalike.scheduler.weighers)."""
