"""Other people's weights to our names, every key accounted for; nothing in their files is executed."""
