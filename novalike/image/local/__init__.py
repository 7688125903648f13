"""image/local"""
