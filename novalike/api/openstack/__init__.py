"""Nova's Compute API, v2.1 with microversions and the relaxed v2."""
