"""Tables, one file per family. Importing this folder registers them all with their metadata."""
