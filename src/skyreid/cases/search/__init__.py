"""Who resembles whom in a case: what it is asked with, whom it finds, and how lists learn.

    asking, asked_pictures → searching → search_cache (everybody, as float16) → reach (who can be it) → choosing (who
    stands first, exactly; in the order that refining learns from decisions)

`adapting` makes vectors of its own from decisions, and `stacks` shows pieces of one walk as one.
"""
