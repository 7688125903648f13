"""The HTTP APIs. `operations/` is what every dialect does, in no dialect; each other folder is one dialect."""
