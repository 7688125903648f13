"""identity/local"""
