"""Filters: which hosts can take a server at all. One per file, found by entry point (novalike.scheduler.filters)."""
