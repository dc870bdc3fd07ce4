"""A provider that stands outside of the package: all that it takes is in this folder."""
