"""The objects that users write, kind by kind, and the parts that they share."""
