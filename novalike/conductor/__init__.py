"""The daemon which carries operations through: durable tasks, reports of hosts, and repairs."""
