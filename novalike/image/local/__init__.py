"""Our own image service: records in the GLOBAL database, bytes in a directory by their hash."""
