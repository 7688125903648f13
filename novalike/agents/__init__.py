"""The local services' hands on a host, which make a desired state true there and have no database."""
