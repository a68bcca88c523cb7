"""
A TCP relay whose buffers in the system are small, what Node cannot set: a peer that sends to it notices at about 72 KB that nothing goes on.

Commands are JSON, a line each, on standard input; it ends with that.

    {"to": PORT}                         takes one connection on a free port, and relays it to this one of 127.0.0.1;
                                         answers {"to": PORT, "port": N}
    {"to": PORT, "accepted": A, "made": M}   as before, and reads at most so many bytes of a side
    {"stop": N, "side": "accepted"}      of the connection of port N: reads no more of the side that it accepted,
    {"stop": N, "side": "made"}          or of the side that it made

A FIN and a RST of one side are passed on to the other. As long as it runs it tells every 100 ms how many bytes went in and
out of the connection of each port since it told last: {"moved": {"N": BYTES}}.
"""
import json
import os
import selectors
import socket
import struct
import sys
import time

READ_BYTES = 4096
RECEIVE_BYTES = 4096
SEGMENT_BYTES = 1400
WINDOW_BYTES = 2800
TELL_SECONDS = 0.1
NO_LIMIT = 1 << 62
RESET = struct.pack('ii', 1, 0)

selector = selectors.DefaultSelector()
moved = {}


def small():
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, WINDOW_BYTES)
    return sock


class Side:
    """One side of a connection, and what is on its way to the other."""

    def __init__(self, sock, port, limit):
        self.sock = sock
        self.port = port
        self.left = limit
        self.other = None
        self.waiting = b''
        self.is_stopped = False
        self.has_ended = False
        self.is_shut = False
        self.is_closed = False
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def want(self):
        """Reads while nothing waits; writes what waits of the other."""
        if self.is_closed:
            return
        reads = not self.waiting and not self.has_ended and not self.is_stopped and self.left > 0
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if self.other.waiting else 0)
        known = selector.get_map().get(self.sock)
        if known is None and events:
            selector.register(self.sock, events, self.ready)
        elif known is not None and not events:
            selector.unregister(self.sock)
        elif known is not None and known.events != events:
            selector.modify(self.sock, events, self.ready)

    def ready(self, mask):
        # Another of the same turn may have closed it.
        if self.is_closed:
            return
        try:
            if mask & selectors.EVENT_READ:
                self.read()
            if mask & selectors.EVENT_WRITE and not self.is_closed:
                sent = self.sock.send(self.other.waiting)
                self.other.waiting = self.other.waiting[sent:]
                self.count(sent)
        except BlockingIOError:
            pass
        except OSError:
            self.lose()
            return
        self.settle()

    def read(self):
        data = self.sock.recv(min(READ_BYTES, self.left))
        if data:
            self.left -= len(data)
            self.waiting += data
            self.count(len(data))
        else:
            self.has_ended = True

    def count(self, number):
        moved[self.port] = moved.get(self.port, 0) + number

    def settle(self):
        for side in (self, self.other):
            if side.has_ended and not side.waiting and not side.other.is_shut and not side.other.is_closed:
                side.other.is_shut = True
                try:
                    side.other.sock.shutdown(socket.SHUT_WR)
                except OSError:
                    side.lose()
                    return
        if self.is_shut and self.other.is_shut:
            self.close()
            self.other.close()
        self.want()
        self.other.want()

    def lose(self):
        """This side was reset: so is the other."""
        if not self.other.is_closed:
            self.other.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close()
        self.other.close()

    def close(self):
        if self.is_closed:
            return
        self.is_closed = True
        if self.sock in selector.get_map():
            selector.unregister(self.sock)
        self.sock.close()


sides = {}


def listen(target, accepted_limit, made_limit):
    listener = small()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    port = listener.getsockname()[1]

    def take(_mask):
        accepted = Side(listener.accept()[0], port, accepted_limit)
        selector.unregister(listener)
        listener.close()
        sock = small()
        try:
            sock.connect(('127.0.0.1', target))
        except OSError:
            sock.close()
            accepted.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            accepted.sock.close()
            return
        made = Side(sock, port, made_limit)
        accepted.other, made.other = made, accepted
        sides[port] = {'accepted': accepted, 'made': made}
        accepted.settle()

    selector.register(listener, selectors.EVENT_READ, take)
    print(json.dumps({'to': target, 'port': port}), flush=True)


def obey(command):
    if 'to' in command:
        listen(command['to'], command.get('accepted', NO_LIMIT), command.get('made', NO_LIMIT))
    elif command['stop'] in sides:
        side = sides[command['stop']][command['side']]
        side.is_stopped = True
        side.want()


def main():
    rest = b''
    told = time.monotonic()
    os.set_blocking(0, False)
    selector.register(0, selectors.EVENT_READ, None)
    while True:
        ready = selector.select(TELL_SECONDS)
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            print(json.dumps({'moved': moved}), flush=True)
            moved.clear()
        for key, mask in ready:
            if key.data is not None:
                key.data(mask)
                continue
            data = os.read(0, 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b'\n')
            for line in lines:
                obey(json.loads(line))


try:
    main()
except KeyboardInterrupt:
    sys.exit()
