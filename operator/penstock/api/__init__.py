"""The models, conditions and names of the API, and the contracts of operator and agent.

Users write and read the first three.
"""
