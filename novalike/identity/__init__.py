"""Identity: who is calling, the catalog, EC2 credentials; a client of Keystone, and our own service in local/."""
