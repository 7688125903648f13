"""api/metadata"""
