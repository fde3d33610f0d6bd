"""What a process may use that opens files of strangers: lowered by itself, before it opens one.

The only file that knows how each system does that. POSIX limits by `resource`; Windows by a job object; where a limit
is not to be had (macOS does not limit memory), a thread looks on and ends the process. Imports the standard library
alone, so that the memory of such a process is its decoder's.
"""

import ctypes
import os
import sys
import threading
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

OUT_OF_TIME = 120
"""Exit status of a process that used up its processor time, where no signal says so."""
OUT_OF_MEMORY = 121
"""The same, of memory."""
_LOOK_EVERY_S = 0.1


def lower_rights(*, memory_bytes: int, cpu_s: int | None, open_files: int) -> None:
    """Limit this process for good: memory, processor time, open files; no file is written and no core dumped.

    Args:
        memory_bytes: address space; resident memory where that cannot be limited.
        cpu_s: processor seconds; None = no limit.
        open_files: at once, on POSIX.
    """
    if resource is None:
        is_limited = sys.platform == "win32" and _limited_by_job(memory_bytes, cpu_s)
        if not is_limited:
            _watch(memory_bytes, cpu_s)
        return
    limits = {
        resource.RLIMIT_NOFILE: (open_files, open_files),
        resource.RLIMIT_FSIZE: (0, 0),  # it may write to the pipe, and to no file
        resource.RLIMIT_CORE: (0, 0),
    }
    if cpu_s is not None:
        limits[resource.RLIMIT_CPU] = (cpu_s, cpu_s + 1)
    if sys.platform == "darwin":
        _watch(memory_bytes, None)
    else:
        limits[resource.RLIMIT_AS] = (memory_bytes, memory_bytes)
    for kind, (soft, hard) in limits.items():
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def _watch(memory_bytes: int, cpu_s: int | None) -> None:
    """Look on from a thread; the libraries that decode let other threads run meanwhile."""

    def look_on() -> None:
        while True:
            if cpu_s is not None and time.process_time() > cpu_s:
                os._exit(OUT_OF_TIME)
            if _resident_bytes() > memory_bytes:
                os._exit(OUT_OF_MEMORY)
            time.sleep(_LOOK_EVERY_S)

    threading.Thread(target=look_on, daemon=True).start()


def _resident_bytes() -> int:
    """Give the memory of this process; 0 where the system does not tell, which then is not limited."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if resource is not None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return 0


class _BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION of Windows."""

    _fields_ = [
        ("per_process_user_time_limit", ctypes.c_int64),
        ("per_job_user_time_limit", ctypes.c_int64),
        ("limit_flags", ctypes.c_uint32),
        ("minimum_working_set_size", ctypes.c_size_t),
        ("maximum_working_set_size", ctypes.c_size_t),
        ("active_process_limit", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority_class", ctypes.c_uint32),
        ("scheduling_class", ctypes.c_uint32),
    ]


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of Windows."""

    _fields_ = [
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory_limit", ctypes.c_size_t),
        ("job_memory_limit", ctypes.c_size_t),
        ("peak_process_memory_used", ctypes.c_size_t),
        ("peak_job_memory_used", ctypes.c_size_t),
    ]


def _limited_by_job(memory_bytes: int, cpu_s: int | None) -> bool:
    """Put this process into a job of Windows that limits its memory, its time, and that it starts no other.

    Written from the documentation of Windows; it was not run.
    """
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue] # of Windows
    process_time, active_process, process_memory, extended_information = 0x2, 0x8, 0x100, 9
    limits = _ExtendedLimits()
    limits.basic.limit_flags = process_memory | active_process | (0 if cpu_s is None else process_time)
    limits.basic.per_process_user_time_limit = (cpu_s or 0) * 10**7  # in 100 ns
    limits.basic.active_process_limit = 1
    limits.process_memory_limit = memory_bytes
    kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.SetInformationJobObject.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32)
    kernel.AssignProcessToJobObject.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    job = kernel.CreateJobObjectW(None, None)
    return bool(
        job
        and kernel.SetInformationJobObject(job, extended_information, ctypes.byref(limits), ctypes.sizeof(limits))
        and kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())
    )
