"""One executable per file, and wiring.py: the only place which constructs managers and clients."""
