"""Spans of time in words."""


def seconds_in_words(seconds: float | None) -> str:
    """Say how much later (+) or earlier something was, in its two largest units; "" where nobody knows.

    >>> seconds_in_words(-125.4)
    '-2 min 5 s'
    >>> seconds_in_words(3.2)
    '+3.2 s'
    """
    if seconds is None:
        return ""
    sign, whole = "-" if seconds < 0 else "+", round(abs(seconds))
    if abs(seconds) < 10:
        return f"{sign}{abs(seconds):.1f} s"
    for large, small, size, unit in (("d", "h", 86_400, 3_600), ("h", "min", 3_600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            rest = whole % size // unit
            return f"{sign}{whole // size} {large}" + (f" {rest} {small}" if rest else "")
    return f"{sign}{whole} s"
