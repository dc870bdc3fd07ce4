"""The artifact store: opening it, what is asked of it, and what its errors mean."""
