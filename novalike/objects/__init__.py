"""Plain data that daemons exchange and store: frozen dataclasses and enums, without I/O. Imports nothing else of ours."""
