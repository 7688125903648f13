"""scheduler/filters"""
