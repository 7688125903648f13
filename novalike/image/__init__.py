"""Images: the interface the rest uses, a client of Glance, and our own image service in local/."""
