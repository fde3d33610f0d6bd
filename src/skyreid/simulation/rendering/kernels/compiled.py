"""How the renderer's loops are compiled.

Kernels carry no annotations: numba types them by what they are called with. Its cache on disk is checked
against the file of the kernel that Python calls only: after editing a kernel that others call, remove
`__pycache__/*.nbi` beside it.
"""

import inspect
from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile for one thread; work is spread over processes.

    Sums keep their order (no fastmath), so that the same arguments give the same bytes on every processor
    of a platform. Division by zero gives inf, as in NumPy.
    """
    # The tests' shape checker wraps every function of the package, and numba cannot compile a wrapper.
    return cast(_Function, numba.njit(cache=True, error_model="numpy")(inspect.unwrap(function)))
