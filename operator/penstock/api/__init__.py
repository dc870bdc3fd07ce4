"""What users write and read: models, conditions, names, and the contracts
between operator and agent.
"""
