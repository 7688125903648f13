"""The Compute API's resources, one file each: routes, and handlers which authorize, call an operation and render."""
