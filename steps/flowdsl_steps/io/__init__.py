"""Steps that talk to the world: people, files, services."""
