"""What was applied together: applied in order, tried first, pruned, rolled
back, remembered in its parent.
"""
