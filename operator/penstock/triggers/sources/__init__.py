"""How sources are looked at: each provider's, within the addresses that may be reached."""
