"""
A WebSocket peer that reads as slowly as it is told to, with small buffers of the system: what Node cannot set.

    slow-peer.py client PORT [options]      connects to 127.0.0.1
    slow-peer.py server [options]           takes one connection on a free port of 127.0.0.1
    slow-peer.py ask PORT [options]         asks for an upgrade that is refused, sends a FIN, and reads the response slowly

    --rcvbuf N   SO_RCVBUF, before the connection is there: the window that TCP tells the other end
    --mss N      TCP_MAXSEG. The other end's send buffer follows from it: with 1400 it is 72 KB, else megabytes
    --clamp N    TCP_WINDOW_CLAMP: keeps that send buffer from growing when the peer reads; with 2800 the other end's
                 system takes 50 KB whenever these are gone
    --sndbuf N   SO_SNDBUF
    --ca FILE    client: over TLS, and this is the CA of the server
    --cert FILE --key FILE   server: over TLS
    --deflate    client: offers permessage-deflate; server: agrees to it. Payloads are never inflated here
    --path PATH  of the client's request

Commands are JSON, a line each, on standard input; it ends with that. Until a command to read it reads nothing.

    {"do": "read", "bytes": N, "everyMs": T}      one read of at most N bytes every T milliseconds; with
                                                  --clamp it finds 2.8 KB, so that T sets the rate
    {"do": "read", "bytes": N}                    N at a time, without a pause and with large buffers from now on
    {"do": "stall"}
    {"do": "send", "frames": [FRAME...], "count": C, "everyMs": T}   these frames, C times (0: without end)
    {"do": "raw", "hex": H, "bytes": N, "everyMs": T}    these bytes, N at a time, in the place of frames
    {"do": "fin"}    after what is to be written      {"do": "reset"}    at once
    {"do": "count"}

A FRAME is {"op": 1, "text": "x"}, {"op": 2, "size": 10} or {"op": 8, "hex": "03e8"}, and may have "fin": false. A client masks its frames.
It answers Close frames and pings when it comes to read them, unless {"do": "answer", "close": false, "ping": false}.

It reports, a line of JSON each: {"event": "listening", "port"}, "open", "frame" (op, fin, rsv1, length, text or sha1),
"written" (all that was to be written is), "count" (read, written, lateMs: for how long the
machine kept it waiting after a pause, at most), "response" (startLine, bodyLength), "end" (how: fin or reset; read; inFrame).
"""
import argparse
import base64
import hashlib
import json
import os
import select
import socket
import ssl
import sys
import time

KEY = bytes.fromhex('37fa213d')
LONGEST_TEXT = 200


def report(event, **fields):
    sys.stdout.write(json.dumps({'event': event, **fields}) + '\n')
    sys.stdout.flush()


def masked(payload):
    length = len(payload)
    key = (KEY * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, 'big') ^ int.from_bytes(key, 'big')).to_bytes(length, 'big')


def frame_bytes(spec, is_client):
    if 'hex' in spec:
        payload = bytes.fromhex(spec['hex'])
    elif 'size' in spec:
        payload = b'x' * spec['size']
    else:
        payload = spec.get('text', '').encode()
    length = len(payload)
    mask_bit = 0x80 if is_client else 0
    head = bytes([(0x80 if spec.get('fin', True) else 0) | spec['op']])
    if length < 126:
        head += bytes([mask_bit | length])
    elif length < 65536:
        head += bytes([mask_bit | 126]) + length.to_bytes(2, 'big')
    else:
        head += bytes([mask_bit | 127]) + length.to_bytes(8, 'big')
    return head + KEY + masked(payload) if is_client else head + payload


class TlsSocket:
    """TLS over a socket, so that one read here is one read there: an SSLSocket reads on until a record is whole."""

    def __init__(self, sock, context, **how):
        self.raw = sock
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **how)
        self.unsent = b''
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                self.incoming.write(self.raw.recv(65536))
        self.raw.sendall(self.outgoing.read())

    def fileno(self):
        return self.raw.fileno()

    def setsockopt(self, *args):
        self.raw.setsockopt(*args)

    def setblocking(self, is_blocking):
        self.raw.setblocking(is_blocking)

    def close(self):
        self.raw.close()

    def recv(self, size):
        """All that one read of the socket brings; raises BlockingIOError where that is no message yet."""
        plain = self.read_plain()
        while not plain:
            data = self.raw.recv(size)
            if not data:
                return b''
            self.incoming.write(data)
            plain = self.read_plain()
            if plain is None:
                return b''
            if not plain:
                raise BlockingIOError
        return plain

    def read_plain(self):
        plain = b''
        try:
            while True:
                part = self.tls.read(65536)
                if not part:
                    return plain or None
                plain += part
        except ssl.SSLWantReadError:
            return plain
        except ssl.SSLZeroReturnError:
            return plain or None

    def send(self, data):
        """Takes all and keeps what the system does not take: then raises BlockingIOError until that is gone."""
        self.flush()
        self.tls.write(data)
        try:
            self.flush()
        except BlockingIOError:
            pass
        return len(data)

    def sendall(self, data):
        self.tls.write(data)
        self.raw.sendall(self.outgoing.read())

    def flush(self):
        self.unsent += self.outgoing.read()
        while self.unsent:
            self.unsent = self.unsent[self.raw.send(self.unsent):]

    def shutdown(self, how):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.raw.setblocking(True)
        self.flush()
        self.raw.setblocking(False)
        self.raw.shutdown(how)


class FrameReader:
    """Takes bytes as they come and keeps no large payload."""

    def __init__(self, on_frame):
        self.on_frame = on_frame
        self.head = bytearray()
        self.left = 0
        self.is_in_payload = False

    @property
    def is_in_frame(self):
        return self.is_in_payload or len(self.head) > 0

    def take(self, data):
        view = memoryview(data)
        while len(view) > 0 or (self.is_in_payload and self.left == 0):
            if not self.is_in_payload:
                self.head.append(view[0])
                view = view[1:]
                self.look_at_head()
                continue
            part = view[: self.left]
            self.sha1.update(part)
            if len(self.start) < LONGEST_TEXT:
                self.start += part[: LONGEST_TEXT - len(self.start)]
            self.left -= len(part)
            view = view[len(part):]
            if self.left == 0:
                self.finish()

    def look_at_head(self):
        head = self.head
        if len(head) < 2:
            return
        is_masked = head[1] >= 0x80
        field = head[1] & 0x7f
        extra = {126: 2, 127: 8}.get(field, 0)
        if len(head) < 2 + extra + (4 if is_masked else 0):
            return
        self.key = bytes(head[2 + extra: 6 + extra]) if is_masked else None
        self.left = self.length = int.from_bytes(head[2: 2 + extra], 'big') if extra else field
        self.sha1 = hashlib.sha1()
        self.start = bytearray()
        self.is_in_payload = True

    def finish(self):
        first = self.head[0]
        start = bytes(self.start)
        if self.key is not None:
            start = bytes(octet ^ self.key[i % 4] for i, octet in enumerate(start))
        self.head = bytearray()
        self.is_in_payload = False
        about = {}
        if first & 15 == 8:
            about = {'code': int.from_bytes(start[:2], 'big') if len(start) > 1 else 1005,
                     'text': start[2:].decode('utf8', 'replace')}
        elif self.length <= LONGEST_TEXT:
            about = {'text': start.decode('latin1' if first & 15 == 2 else 'utf8', 'replace')}
        elif self.key is None:
            about = {'sha1': self.sha1.hexdigest()}
        self.on_frame({'op': first & 15, 'fin': first >= 0x80, 'rsv1': first & 0x40 != 0,
                       'length': self.length, **about}, start)


class Peer:
    def __init__(self, sock, is_client, early):
        self.sock = sock
        self.is_client = is_client
        self.reader = FrameReader(self.on_frame)
        self.has_sent_close = False
        self.answers = {'close': True, 'ping': True}
        self.step_bytes = 0
        self.step_seconds = 0
        self.next_read = None
        self.late_seconds = 0.0
        self.out = bytearray()
        self.jobs = []
        self.ends_after_writing = False
        self.was_writing = False
        self.bytes_read = 0
        self.bytes_written = 0
        self.is_open = True
        if early:
            self.take(early)

    def take(self, data):
        self.bytes_read += len(data)
        self.reader.take(data)

    def on_frame(self, about, start):
        report('frame', **about)
        if about['op'] == 8 and self.answers['close']:
            if not self.has_sent_close:
                self.has_sent_close = True
                self.out += frame_bytes({'op': 8, 'hex': start[:2].hex()}, self.is_client)
            # The server ends the connection first (RFC 6455 section 7.1.1).
            self.ends_after_writing = not self.is_client
        elif about['op'] == 9 and self.answers['ping']:
            self.out += frame_bytes({'op': 10, 'hex': start.hex()}, self.is_client)

    def over(self, how):
        if not self.is_open:
            return
        self.is_open = False
        report('end', how=how, read=self.bytes_read, inFrame=self.reader.is_in_frame)
        self.sock.close()

    def command(self, line):
        said = json.loads(line)
        what = said['do']
        if what == 'read':
            self.step_bytes = said['bytes']
            self.step_seconds = said.get('everyMs', 0) / 1000
            self.next_read = time.monotonic()
            if self.step_seconds == 0:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 1 << 20)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        elif what == 'stall':
            self.next_read = None
        elif what == 'answer':
            self.answers.update({name: said[name] for name in ('close', 'ping') if name in said})
        elif what == 'send':
            data = b''.join(frame_bytes(spec, self.is_client) for spec in said['frames'])
            self.has_sent_close = self.has_sent_close or any(spec['op'] == 8 for spec in said['frames'])
            self.add_job(data, said.get('count', 1), said.get('everyMs', 0))
        elif what == 'raw':
            data = bytes.fromhex(said['hex'])
            size = said.get('bytes', len(data))
            for at in range(0, len(data), size):
                self.add_job(data[at: at + size], 1, said.get('everyMs', 0))
        elif what == 'fin':
            self.ends_after_writing = True
        elif what == 'reset':
            raw = self.sock
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\x00\x00\x00\x00\x00\x00\x00')
            raw.close()
            self.is_open = False
        elif what == 'count':
            report('count', read=self.bytes_read, written=self.bytes_written, lateMs=self.late_seconds * 1000)

    def add_job(self, data, count, every_ms):
        self.jobs.append({'data': data, 'left': count if count > 0 else float('inf'), 'every': every_ms / 1000})
        if len(self.jobs) == 1:
            self.jobs[0]['due'] = time.monotonic()

    def fill(self, now):
        """Gives what is due to be written to the buffer, as long as that is small."""
        while self.jobs and len(self.out) < 65536 and self.jobs[0]['due'] <= now:
            job = self.jobs[0]
            self.out += job['data']
            job['left'] -= 1
            job['due'] += job['every']
            if job['left'] == 0:
                self.jobs.pop(0)
                if self.jobs:
                    self.jobs[0]['due'] = job['due']
        if self.out:
            self.was_writing = True
        elif self.was_writing and not self.jobs and not self.is_sending:
            self.was_writing = False
            report('written', bytes=self.bytes_written)
        if self.ends_after_writing and not self.out and not self.jobs and not self.is_sending:
            self.ends_after_writing = False
            self.send_fin()

    def send_fin(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @property
    def is_sending(self):
        """TLS took bytes that the system did not take."""
        return isinstance(self.sock, TlsSocket) and len(self.sock.unsent) > 0

    def write_some(self):
        try:
            if self.is_sending:
                self.sock.flush()
            if not self.out:
                return
            sent = self.sock.send(bytes(self.out[:65536]))
            del self.out[:sent]
            self.bytes_written += sent
        except BlockingIOError:
            pass
        except OSError:
            # What can still be read says more.
            self.out.clear()
            self.jobs.clear()
            if self.next_read is None:
                self.over('reset')

    def read_step(self, now):
        # One read a step: several let the other end's system take ever more at once.
        try:
            data = self.sock.recv(min(self.step_bytes, 65536))
        except BlockingIOError:
            data = None
        except OSError:
            self.over('reset')
            return
        if data == b'':
            self.over('fin')
            return
        if data:
            self.take(data)
        if self.step_seconds > 0:
            self.next_read = now + self.step_seconds

    def run(self):
        commands = b''
        os.set_blocking(0, False)
        self.sock.setblocking(False)
        while True:
            now = time.monotonic()
            readers, writers, wait = [0], [], 30.0
            if self.is_open:
                self.fill(now)
                if self.out or self.is_sending:
                    writers.append(self.sock)
                if self.jobs and len(self.out) < 65536:
                    wait = min(wait, max(0.0, self.jobs[0]['due'] - now))
                if self.next_read is not None:
                    if now < self.next_read:
                        wait = min(wait, self.next_read - now)
                    else:
                        readers.append(self.sock)
            readable, writable, _ = select.select(readers, writers, [], wait)
            self.late_seconds = max(self.late_seconds, time.monotonic() - now - wait)
            if 0 in readable:
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, commands = (commands + data).split(b'\n')
                for line in lines:
                    self.command(line)
            now = time.monotonic()
            if self.is_open and self.next_read is not None and now >= self.next_read:
                self.read_step(now)
            if self.is_open and writable:
                self.write_some()


def read_response(sock):
    data = b''
    while True:
        time.sleep(0.01)
        try:
            part = sock.recv(32768)
        except BlockingIOError:
            continue
        except OSError:
            break
        if not part:
            break
        data += part
    head, _, body = data.partition(b'\r\n\r\n')
    report('response', startLine=head.split(b'\r\n')[0].decode('latin1'), bodyLength=len(body))


def read_head(sock):
    data = b''
    while b'\r\n\r\n' not in data:
        try:
            more = sock.recv(1024)
        except BlockingIOError:
            continue
        if not more:
            raise SystemExit('it ended in the handshake: ' + data.decode('latin1'))
        data += more
    head, early = data.split(b'\r\n\r\n', 1)
    return head.decode('latin1'), early


def set_buffers(sock, options):
    if options.rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.rcvbuf)
    if options.sndbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options.sndbuf)
    if options.mss:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, options.mss)
    if options.clamp:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, options.clamp)


def open_client(options):
    sock = socket.socket()
    set_buffers(sock, options)
    sock.connect(('127.0.0.1', options.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.ca:
        sock = TlsSocket(sock, ssl.create_default_context(cafile=options.ca), server_hostname='localhost')
    lines = ['GET ' + options.path + ' HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
             'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
    if options.deflate:
        lines.append('Sec-WebSocket-Extensions: permessage-deflate')
    sock.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
    if options.role == 'ask':
        sock.shutdown(socket.SHUT_WR)
        return sock, b''
    head, early = read_head(sock)
    if ' 101 ' not in head.split('\r\n')[0]:
        raise SystemExit('not upgraded: ' + head)
    return sock, early


def open_server(options):
    listener = socket.socket()
    set_buffers(listener, options)
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    report('listening', port=listener.getsockname()[1])
    sock, _ = listener.accept()
    listener.close()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        sock = TlsSocket(sock, context, server_side=True)
    head, early = read_head(sock)
    fields = dict(line.split(': ', 1) for line in head.split('\r\n')[1:])
    key = next(value.strip() for name, value in fields.items() if name.lower() == 'sec-websocket-key')
    digest = hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()
    lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
             'Sec-WebSocket-Accept: ' + base64.b64encode(digest).decode()]
    if options.deflate:
        lines.append('Sec-WebSocket-Extensions: permessage-deflate')
    sock.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
    return sock, early


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('role', choices=['client', 'server', 'ask'])
    parser.add_argument('port', type=int, nargs='?')
    for name in ('rcvbuf', 'sndbuf', 'mss', 'clamp'):
        parser.add_argument('--' + name, type=int, default=0)
    for name in ('ca', 'cert', 'key'):
        parser.add_argument('--' + name)
    parser.add_argument('--path', default='/')
    parser.add_argument('--deflate', action='store_true')
    options = parser.parse_args()
    sock, early = open_server(options) if options.role == 'server' else open_client(options)
    if options.role == 'ask':
        read_response(sock)
        return
    report('open')
    Peer(sock, options.role == 'client', early).run()


main()
