"""Hostile inputs for what reads users' files; each program makes one at a time."""
