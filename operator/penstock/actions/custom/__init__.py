"""Custom actions: what an ActionType describes."""
