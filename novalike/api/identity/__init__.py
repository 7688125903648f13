"""api/identity"""
