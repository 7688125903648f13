"""Chooses a host for a server and claims it.

A pure core (select, host_state, filters, weights: no database, no RPC, no configuration) between a snapshot (host_manager)
and the claim (placing).
"""
