"""Files as everybody here reads and writes them: whole or not at all, regular, of bounded size, of a known kind."""
