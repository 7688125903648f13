"""The durable tasks, one file each: steps from top to bottom, every step with its undo."""
