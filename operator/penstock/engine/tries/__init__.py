"""One try of an action, or of a rule: how it starts, what became of it, and what a pass leads to by it."""
