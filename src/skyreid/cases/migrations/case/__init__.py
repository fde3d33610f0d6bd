"""Steps of the tables of a case."""
