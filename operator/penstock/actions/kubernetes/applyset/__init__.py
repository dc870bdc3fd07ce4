"""ApplySets: objects tried first, applied in order, pruned, rolled back, remembered in a parent."""
