"""Our own network service: networks, subnets, ports and security groups in the GLOBAL database."""
