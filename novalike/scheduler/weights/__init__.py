"""scheduler/weights"""
