"""What operator and agent say to one another: the standard library alone,
since every action pays for its imports.
"""
