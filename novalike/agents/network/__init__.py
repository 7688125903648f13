"""agents/network"""
