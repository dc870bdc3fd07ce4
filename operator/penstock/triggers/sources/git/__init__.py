"""Git sources: how repositories are looked at, and what a trigger's filters make of it."""
