"""The artifact stores, and safe packing and unpacking."""
