"""privileged"""
