"""The texts that users write: references, cron, patterns, shell commands.

The references are to variables. The package knows no pipeline.
"""
