"""The documents that operator and agent exchange.

They need the standard library alone, because every action pays for its imports.
"""
