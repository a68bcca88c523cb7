/* Connections from many addresses of this machine, and the commands on the input. */
#define _GNU_SOURCE
#include "peers.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

int connect_from(uint64_t number, int blocking, int receive_buffer) {
  int fd = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0), one = 1;
  if (fd < 0) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (receive_buffer > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (peers.source != 0) {
    /* The port is chosen when it connects: then it has to be free for this pair of addresses alone. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(peers.source + (uint32_t)(number % (uint64_t)peers.sources));
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind");
  }
  struct sockaddr_in to = {.sin_family = AF_INET};
  to.sin_port = htons((uint16_t)peers.ports[number % (uint64_t)peers.port_count]);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

const char *read_command(void) {
  static char line[64];
  static size_t have;
  char c;
  for (;;) {
    ssize_t n = read(0, &c, 1);
    if (n == 0) return "end";
    if (n < 0) return NULL;
    if (c == '\n') {
      line[have] = 0;
      have = 0;
      return line;
    }
    if (have < sizeof line - 1) line[have++] = c;
  }
}
