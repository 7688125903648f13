"""What stands before every API: request ids, and who asks."""
