"""network/local"""
