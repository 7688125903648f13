"""What comes in: request bodies and queries of the Compute API per microversion, by resource."""
