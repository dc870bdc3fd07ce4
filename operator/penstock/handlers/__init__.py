"""Kopf, and nothing but Kopf: an event only says whose state to look at again."""
