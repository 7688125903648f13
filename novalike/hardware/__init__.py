"""Pure arithmetic of what hosts have and servers need, for the scheduler and claims alike."""
