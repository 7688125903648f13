"""Runs novalike and what it needs on one machine, without systemd: for demos, tests, benchmarks and labs."""
