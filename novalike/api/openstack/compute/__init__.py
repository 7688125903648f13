"""api/openstack/compute"""
