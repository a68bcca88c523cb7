/*
 * A load generator for WebSocket echo servers, light enough not to be what is measured: one thread, epoll, frames
 * made once, all that is due to one connection in one write, replies counted by their headers and the first checked
 * byte by byte.
 *
 *   load PORT CONNECTIONS IN_FLIGHT PAYLOAD_BYTES text|binary SECONDS WARMUP_SECONDS
 *
 * Prints one line of JSON: messages, seconds, and round-trip times in microseconds of one message in 16.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define MAX_SAMPLES (1 << 20)

typedef struct {
  int fd;
  size_t to_write; /* bytes of the batch that are still to be written */
  size_t batch;    /* its length */
  int due;         /* replies that are still due for the batch */
  uint8_t header[10];
  int header_have;
  uint64_t payload_left;
  double sent_at;
} connection;

static uint8_t *frames;
static size_t frame_bytes;
static uint8_t *payload;
static size_t payload_bytes;
static uint8_t buffer[READ_BYTES];
static float samples[MAX_SAMPLES];
static size_t sample_count;
static int checked;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static int open_connection(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const char *request =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  if (write(fd, request, strlen(request)) < 0) die("write");
  char head[4096];
  size_t have = 0;
  while (have < sizeof head - 1) {
    ssize_t n = read(fd, head + have, 1); /* byte by byte: nothing behind the head is swallowed */
    if (n <= 0) die("handshake");
    have += (size_t)n;
    head[have] = 0;
    if (have >= 4 && memcmp(head + have - 4, "\r\n\r\n", 4) == 0) break;
  }
  if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
    fprintf(stderr, "load: not upgraded: %.60s\n", head);
    exit(1);
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void make_frames(int count, const char *type) {
  static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
  size_t header = payload_bytes < 126 ? 6 : payload_bytes < 65536 ? 8 : 14;
  frame_bytes = header + payload_bytes;
  frames = malloc(frame_bytes * (size_t)count);
  payload = malloc(payload_bytes + 1);
  for (size_t i = 0; i < payload_bytes; i++) payload[i] = (uint8_t)('a' + i % 26);
  for (int k = 0; k < count; k++) {
    uint8_t *f = frames + frame_bytes * (size_t)k;
    f[0] = 0x80 | (type[0] == 't' ? 1 : 2);
    if (header == 6) f[1] = 0x80 | (uint8_t)payload_bytes;
    else if (header == 8) f[1] = 0x80 | 126, f[2] = (uint8_t)(payload_bytes >> 8), f[3] = (uint8_t)payload_bytes;
    else {
      f[1] = 0x80 | 127;
      for (int i = 0; i < 8; i++) f[2 + i] = (uint8_t)((uint64_t)payload_bytes >> (56 - 8 * i));
    }
    memcpy(f + header - 4, key, 4);
    for (size_t i = 0; i < payload_bytes; i++) f[header + i] = payload[i] ^ key[i & 3];
  }
}

static void flush_connection(connection *c) {
  while (c->to_write > 0) {
    ssize_t n = write(c->fd, frames + (c->batch - c->to_write), c->to_write);
    if (n < 0) {
      if (errno == EAGAIN) return;
      die("write");
    }
    c->to_write -= (size_t)n;
  }
}

static void start_batch(connection *c, int in_flight) {
  c->batch = c->to_write = frame_bytes * (size_t)in_flight;
  c->due = in_flight;
  c->sent_at = now();
  flush_connection(c);
}

/* Counts the replies in what was read; returns how many ended. */
static int count_replies(connection *c, const uint8_t *p, size_t n) {
  int ended = 0;
  while (n > 0) {
    if (c->payload_left > 0) {
      size_t take = n < c->payload_left ? n : (size_t)c->payload_left;
      c->payload_left -= take, p += take, n -= take;
      if (c->payload_left == 0) ended++, c->header_have = 0;
      continue;
    }
    c->header[c->header_have++] = *p++, n--;
    int need = 2;
    if (c->header_have >= 2) need = (c->header[1] & 0x7f) == 126 ? 4 : (c->header[1] & 0x7f) == 127 ? 10 : 2;
    if (c->header_have < need) continue;
    uint64_t length = c->header[1] & 0x7f;
    if (need == 4) length = (uint64_t)c->header[2] << 8 | c->header[3];
    if (need == 10) for (int i = length = 0; i < 8; i++) length = length << 8 | c->header[2 + i];
    if ((c->header[0] & 0x0f) > 2 || length != payload_bytes) {
      fprintf(stderr, "load: a reply of opcode %d and %llu bytes\n", c->header[0] & 0x0f, (unsigned long long)length);
      exit(1);
    }
    if (!checked && n >= length) {
      if (memcmp(p, payload, length) != 0) {
        fprintf(stderr, "load: a reply that is not what was sent\n");
        exit(1);
      }
      checked = 1;
    }
    c->payload_left = length;
    if (length == 0) ended++, c->header_have = 0;
  }
  return ended;
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: load PORT CONNECTIONS IN_FLIGHT PAYLOAD_BYTES text|binary SECONDS WARMUP_SECONDS\n");
    return 2;
  }
  int port = atoi(argv[1]), connections = atoi(argv[2]), in_flight = atoi(argv[3]);
  payload_bytes = (size_t)atoll(argv[4]);
  double seconds = atof(argv[6]), warmup = atof(argv[7]);
  make_frames(in_flight, argv[5]);
  connection *all = calloc((size_t)connections, sizeof *all);
  int poll = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    all[i].fd = open_connection(port);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event) < 0) die("epoll_ctl");
  }
  for (int i = 0; i < connections; i++) start_batch(&all[i], in_flight);
  double begin = now(), from = begin + warmup, until = from + seconds, t = begin;
  uint64_t messages = 0, batches = 0;
  int measuring = 0;
  struct epoll_event events[256];
  while (t < until) {
    int n = epoll_wait(poll, events, 256, 1000);
    t = now();
    if (!measuring && t >= from) measuring = 1, messages = 0, sample_count = 0, from = t, until = t + seconds;
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (c->to_write > 0) flush_connection(c);
      for (;;) {
        ssize_t got = read(c->fd, buffer, sizeof buffer);
        if (got < 0) {
          if (errno == EAGAIN) break;
          die("read");
        }
        if (got == 0) {
          fprintf(stderr, "load: the server closed a connection\n");
          return 1;
        }
        int ended = count_replies(c, buffer, (size_t)got);
        messages += (uint64_t)ended;
        c->due -= ended;
        if (c->due == 0) {
          if ((batches++ & 15) == 0 && sample_count < MAX_SAMPLES) samples[sample_count++] = (float)((now() - c->sent_at) * 1e6);
          start_batch(c, in_flight);
        }
        if ((size_t)got < sizeof buffer) break;
      }
    }
  }
  double took = t - from;
  qsort(samples, sample_count, sizeof *samples, by_value);
#define PERCENTILE(p) (sample_count ? samples[(size_t)((double)(sample_count - 1) * (p))] : 0)
  printf("{\"messages\":%llu,\"seconds\":%.4f,\"perSecond\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f}\n",
         (unsigned long long)messages, took, (double)messages / took, PERCENTILE(0.5), PERCENTILE(0.9), PERCENTILE(0.99),
         PERCENTILE(0.999));
  return 0;
}
