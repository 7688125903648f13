"""conductor/tasks"""
