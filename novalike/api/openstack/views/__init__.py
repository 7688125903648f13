"""api/openstack/views"""
