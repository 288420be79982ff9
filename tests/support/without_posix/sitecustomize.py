"""Hide what Windows does not have; with this folder in PYTHONPATH Python runs it first in each process.

Names stay that Python or torch need on each POSIX system, such as ``os.register_at_fork``; that stmap itself needs none of them is checked by
``mypy --platform win32``.
"""

import os
import signal
import sys
import time

MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "readline", "syslog", "curses", "_curses")
NAMES = {
    os: (
        *("fork", "forkpty", "sched_getaffinity", "sched_setaffinity", "nice", "getloadavg"),
        *("getuid", "geteuid", "getgid", "getegid", "getgroups", "getpgid", "getpgrp", "getsid", "setsid", "killpg"),
        *("O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW", "mkfifo", "mknod", "chown", "lchown", "fchown", "statvfs", "fstatvfs"),
        *("pread", "pwrite", "preadv", "pwritev", "posix_fadvise", "posix_fallocate", "sendfile", "fdatasync", "sync"),
    ),
    signal: (
        *("pthread_sigmask", "pthread_kill", "sigwait", "sigpending", "alarm", "setitimer", "getitimer", "pause", "siginterrupt"),
        *("SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGQUIT", "SIGCONT", "SIGSTOP", "SIGTSTP"),
    ),
    time: ("tzset",),
}

for _module in MODULES:
    sys.modules[_module] = None  # type: ignore[assignment]
for _owner, _names in NAMES.items():
    for _name in _names:
        if hasattr(_owner, _name):
            delattr(_owner, _name)
