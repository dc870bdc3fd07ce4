"""Pure decisions, made from definition, runs, observed Pods and the time.

They are new statuses, commands, and when to look again.
"""
