"""What a run executes: whether it is valid, and how it is frozen."""
