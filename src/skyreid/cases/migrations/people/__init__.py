"""Steps of the tables of the people of a server."""
