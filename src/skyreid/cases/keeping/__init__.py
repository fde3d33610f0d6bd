"""How long things stay in a case, and who may see originals."""
