"""The provider Lambda (Invoke)."""
