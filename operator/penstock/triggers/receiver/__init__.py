"""Takes webhooks of Git hosts: who signed them, what they tell, and where that is kept."""
