/* Sockets and the opening handshake, with the headers that a browser or the ws client sends. */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

char extensions[256];

ssize_t read_bytes(connection *c, void *into, size_t bytes) {
  return c->ssl == NULL ? read(c->fd, into, bytes) : read_tls(c, into, bytes);
}

ssize_t write_bytes(connection *c, const void *from, size_t bytes) {
  return c->ssl == NULL ? write(c->fd, from, bytes) : write_tls(c, from, bytes);
}

size_t make_request(char *into, size_t size) {
  return (size_t)snprintf(
      into, size,
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
      "Origin: http://127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Extensions: %s\r\n\r\n",
      opt.port, opt.port, opt.offer);
}

int open_socket(int blocking) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) die("connect");
  return fd;
}

void make_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* Ends a connection at once, and leaves no port waiting. */
void reset_connection(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

/* Keeps what the first response agreed to. */
static void note_extensions(const char *head) {
  static int noted;
  if (noted) return;
  noted = 1;
  const char *field = strcasestr(head, "\r\nsec-websocket-extensions:");
  if (field != NULL) sscanf(field + strlen("\r\nsec-websocket-extensions:"), " %255[^\r]", extensions);
  if (opt.loop > 0 && (*extensions == 0 || strstr(extensions, "client_no_context_takeover") != NULL))
    fail("the server does not let the client keep its context");
}

/* Takes of a response's head what is there. Returns how many bytes belong to it when it ended with them, else -1. */
ssize_t read_head(connection *c, const uint8_t *p, size_t n) {
  static const char end[] = "\r\n\r\n";
  for (size_t i = 0; i < n; i++) {
    if (c->head_have < 12) c->head[c->head_have++] = (char)p[i];
    c->head_ends = p[i] == (uint8_t)end[c->head_ends] ? c->head_ends + 1 : p[i] == '\r';
    if (c->head_ends < 4) continue;
    if (!opt.raw && memcmp(c->head, "HTTP/1.1 101", 12) != 0) fail("the server did not upgrade");
    return (ssize_t)i + 1;
  }
  return -1;
}

/* The request, and the head of the response. Nothing behind it is swallowed: it is looked at first, or read byte by byte. */
static void upgrade(connection *c) {
  char head[4096];
  size_t bytes = make_request(head, sizeof head), have = 0;
  if (write_bytes(c, head, bytes) != (ssize_t)bytes) fail("a request was not written");
  for (ssize_t taken = -1; taken < 0;) {
    size_t room = sizeof head - 1 - have;
    if (room == 0) fail("the head of a response is too long");
    ssize_t n = c->ssl == NULL ? recv(c->fd, head + have, room, MSG_PEEK) : read_bytes(c, head + have, 1);
    if (n <= 0) fail("the server ended a handshake");
    taken = read_head(c, (uint8_t *)head + have, (size_t)n);
    size_t take = taken < 0 ? (size_t)n : (size_t)taken;
    if (c->ssl == NULL && read(c->fd, head + have, take) != (ssize_t)take) die("read");
    have += take;
  }
  head[have] = 0;
  note_extensions(head);
}

void open_connection(connection *c) {
  memset(c, 0, sizeof *c);
  c->fd = open_socket(1);
  if (opt.tls) open_tls(c);
  if (!opt.raw) upgrade(c);
  if (opt.tls) buffer_tls(c);
}

/* Opens them one after another, not blocking any more, in the poll. */
connection *open_all(int poll_fd) {
  connection *all = calloc((size_t)opt.connections, sizeof *all);
  for (int i = 0; i < opt.connections; i++) {
    open_connection(&all[i]);
    make_nonblocking(all[i].fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, all[i].fd, &event) < 0) die("epoll_ctl");
  }
  return all;
}
