"""api/network"""
