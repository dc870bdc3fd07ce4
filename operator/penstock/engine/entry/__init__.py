"""Who may begin, who may enter a stage, and who must leave."""
