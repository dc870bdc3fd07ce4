"""Runs the script in the action's container, and reads what it leaves."""
