"""`novalike-manage` and `novalike-status`: what operators do at the database, one file per group of commands."""
