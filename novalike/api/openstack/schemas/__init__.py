"""api/openstack/schemas"""
