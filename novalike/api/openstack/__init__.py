"""api/openstack"""
