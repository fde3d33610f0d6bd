"""When and where the people of a case were."""
