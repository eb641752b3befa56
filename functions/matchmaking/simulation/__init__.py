"""Players who never were: a seeded population and a virtual clock around the very same core that matches real ones."""
