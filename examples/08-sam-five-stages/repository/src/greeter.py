"""A function that greets."""

import os


def handler(event, context):
    return f"{os.environ['GREETING']}, {event.get('name', 'world')}"
