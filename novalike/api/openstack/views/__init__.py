"""What goes out: answers of the Compute API per microversion, by resource."""
