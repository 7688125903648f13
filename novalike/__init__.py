"""novalike: an IaaS control plane which speaks OpenStack Nova's REST API and the EC2 query API."""
