/* Clients that behave well: each sends a text in every interval, in turn, and compares the echo. */
#define _GNU_SOURCE
#include "peers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TEXT_BYTES 32
#define REPLY_BYTES (2 + TEXT_BYTES)
#define HEAD_BYTES 4096

typedef struct {
  int fd, is_gone, is_waiting, have;
  uint32_t sequence;
  double since;                     /* from when on the reply is waited for */
  double due;                       /* when the next message was to be sent, while the last is not answered; else 0 */
  char text[TEXT_BYTES + 1];
  uint8_t in[2 + 125];              /* a frame that is not whole yet */
} client;

static client *all;
static char head[HEAD_BYTES];
static size_t head_bytes;
static uint64_t sent, answered, wrong, gone, late, skipped;
static int last_code = -1;

static void read_request(void) {
  FILE *f = fopen(peers.head, "rb");
  if (f == NULL) die("the request");
  head_bytes = fread(head, 1, sizeof head, f);
  fclose(f);
}

/* Blocking, the handshake included. */
static void open_one(int index) {
  client *c = &all[index];
  c->fd = connect_from((uint64_t)index, 1, 0);
  if (c->fd < 0) die("connect");
  struct timeval patience = {.tv_sec = 10};
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (write(c->fd, head, head_bytes) != (ssize_t)head_bytes) die("write");
  char response[HEAD_BYTES + 1];
  size_t have = 0;
  /* Nothing follows the head before a message was sent. */
  while (have < 4 || memcmp(response + have - 4, "\r\n\r\n", 4) != 0) {
    ssize_t n = have == HEAD_BYTES ? 0 : read(c->fd, response + have, HEAD_BYTES - have);
    if (n <= 0) fail("the server did not answer a handshake of a well-behaved client");
    have += (size_t)n;
  }
  response[have] = 0;
  if (strncmp(response, "HTTP/1.1 101", 12) != 0) {
    fprintf(stderr, "load: the server refused connection %d of a well-behaved client: %.12s\n", index, response);
    exit(1);
  }
  make_nonblocking(c->fd);
}

static void lose(client *c) {
  if (c->is_gone) return;
  c->is_gone = 1, gone++;
  close(c->fd);
}

static void send_text(client *c, double since) {
  uint32_t index = (uint32_t)(c - all);
  c->sequence++;
  snprintf(c->text, sizeof c->text, "%08x %08x well-behaved..", index, c->sequence);
  uint8_t frame[6 + TEXT_BYTES] = {0x81, 0x80 | TEXT_BYTES, 0x5a, (uint8_t)c->sequence, (uint8_t)index, 0xa5};
  for (int i = 0; i < TEXT_BYTES; i++) frame[6 + i] = (uint8_t)c->text[i] ^ frame[2 + (i & 3)];
  c->is_waiting = 1, c->since = since, c->due = 0;
  sent++;
  /* A frame is far smaller than the buffer of an open connection without another one on its way. */
  if (write(c->fd, frame, sizeof frame) != (ssize_t)sizeof frame) lose(c);
}

/* The turn of a connection. Where its last message is not answered, the time from now on counts for the next one. */
static void take_turn(client *c, double t) {
  if (c->is_gone) return;
  if (!c->is_waiting) send_text(c, t);
  else if (c->due == 0) c->due = t, late++;
  else skipped++;
}

static void end_frame(client *c) {
  int opcode = c->in[0] & 0x0f;
  if (opcode == 8) {
    last_code = c->in[1] >= 2 ? c->in[2] << 8 | c->in[3] : 1005;
    lose(c);
  } else if (opcode < 8) {
    if (c->in[0] != 0x81 || c->in[1] != TEXT_BYTES || memcmp(c->in + 2, c->text, TEXT_BYTES) != 0 || !c->is_waiting) wrong++;
    double t = now();
    add_sample(t - c->since);
    c->is_waiting = 0, answered++;
    if (c->due != 0) send_text(c, c->due);
  }
}

static void receive(client *c) {
  uint8_t bytes[4096];
  ssize_t n = read(c->fd, bytes, sizeof bytes);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    lose(c);
    return;
  }
  for (ssize_t i = 0; i < n && !c->is_gone; i++) {
    c->in[c->have++] = bytes[i];
    if (c->have < 2) continue;
    if (c->in[1] > 125) {
      wrong++;
      lose(c);
    } else if (c->have == 2 + c->in[1]) {
      c->have = 0;
      end_frame(c);
    }
  }
}

static void report(double seconds) {
  sort_samples();
  printf("{\"open\":%llu,\"gone\":%llu,\"sent\":%llu,\"answered\":%llu,\"wrong\":%llu,\"late\":%llu,\"skipped\":%llu,",
         (unsigned long long)((uint64_t)peers.connections - gone), (unsigned long long)gone, (unsigned long long)sent,
         (unsigned long long)answered, (unsigned long long)wrong, (unsigned long long)late, (unsigned long long)skipped);
  printf("\"lastCode\":%d,\"seconds\":%.3f,\"samples\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n",
         last_code, seconds, samples_taken(), percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999),
         percentile(1));
  fflush(stdout);
  reset_samples();
  sent = answered = wrong = late = skipped = 0;
}

int run_paced(void) {
  all = calloc((size_t)peers.connections, sizeof *all);
  read_request();
  int poll_fd = epoll_create1(0);
  double from = now();
  for (int i = 0; i < peers.connections; i++) {
    open_one(i);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, all[i].fd, &event) < 0) die("epoll_ctl");
    double ahead = peers.per_second > 0 ? from + (i + 1) / peers.per_second - now() : 0;
    if (ahead > 0.002) usleep((useconds_t)(ahead * 1e6));
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &timer};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &event);
  event.data.ptr = NULL;
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &event);
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  printf("ready\n");
  fflush(stdout);

  /* One turn after another, evenly over the interval. */
  double step = peers.interval / peers.connections, next = now() + step, reported = now();
  int turn = 0;
  struct epoll_event events[512];
  for (;;) {
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)next, .tv_nsec = (long)((next - (double)(time_t)next) * 1e9)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    int n = epoll_wait(poll_fd, events, 512, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr == &timer) {
        uint64_t expirations;
        if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) die("timer");
      } else if (events[i].data.ptr == NULL) {
        const char *command = read_command();
        if (command == NULL) continue;
        report(now() - reported);
        reported = now();
        if (strcmp(command, "end") == 0) return 0;
      } else if (!((client *)events[i].data.ptr)->is_gone) receive(events[i].data.ptr);
    }
    for (double t = now(); next <= t; next += step) {
      take_turn(&all[turn], t);
      turn = (turn + 1) % peers.connections;
    }
  }
}
