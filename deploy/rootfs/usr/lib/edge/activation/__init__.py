"""How a node takes in releases and configurations, tries them and goes back; standard library only."""
