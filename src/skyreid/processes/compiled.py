"""How loops are compiled where NumPy has no word for them.

Compiled functions carry no types of their own: numba types them by what they are called with. Its cache on disk is
checked against the file of the function that Python calls only: after editing a function that others call, remove
`__pycache__/*.nbi` beside it.
"""

import inspect
from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile for one thread that does not hold the interpreter; work is spread over processes or threads.

    Sums keep their order (no fastmath), so that the same arguments give the same bytes on every processor
    of a platform. Division by zero gives inf, as in NumPy.
    """
    # The tests' shape checker wraps every function of the package, and numba cannot compile a wrapper.
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(inspect.unwrap(function)))


def compiled_in_any_order(function: _Function) -> _Function:
    """Compile as `compiled`, but with sums in the order that the processor takes fastest: for what need not be exact.

    Their last bits differ between processors. Nothing else of fastmath: infinity and NaN stay what they are.
    """
    loose = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
    return cast(_Function, loose(inspect.unwrap(function)))
