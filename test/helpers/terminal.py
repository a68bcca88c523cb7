"""
Runs a program in a terminal: python3 terminal.py COLUMNS ROWS PROGRAM [ARGUMENT ...]

What arrives on the standard input is typed as keys; what the program shows is written to the standard output as it
is. Ends with the program's exit code, or with 128 and the number of the signal that ended it.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
child, terminal = pty.fork()
if child == 0:
    # The size is set before the program asks for it.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])

watched = [terminal, 0]
while terminal in watched:
    for ready in select.select(watched, [], [])[0]:
        try:
            data = os.read(ready, 65536)
        except OSError:
            # Linux answers EIO when no program has the terminal open any more.
            data = b""
        if not data:
            watched.remove(ready)
        elif ready == terminal:
            while data:
                data = data[os.write(1, data):]
        else:
            while data:
                data = data[os.write(terminal, data):]

_, status = os.waitpid(child, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
