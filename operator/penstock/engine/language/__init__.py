"""Texts that users write: variable references, cron expressions, patterns,
shell commands. Knows no pipeline.
"""
