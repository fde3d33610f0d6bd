"""The compiled loops of the renderer and the arrays they work on."""
