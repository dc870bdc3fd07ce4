"""Pure decisions: (definition, runs, observed pods, now) -> new statuses,
commands, when to look again.
"""
