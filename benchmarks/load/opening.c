/* Connections that are opened all the time: handshakes by themselves, and with one message each. */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static char request[1024];
static size_t request_bytes;

static void open_in(connection *c, int poll_fd) {
  memset(c, 0, sizeof *c);
  c->fd = open_socket(0);
  c->sent_at = now();
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
}

/* The connection stands: sends the request, and waits for what comes. */
static void send_request(connection *c, int poll_fd) {
  if (write(c->fd, request, request_bytes) != (ssize_t)request_bytes) die("connect");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0) die("epoll_ctl");
}

static ssize_t receive(connection *c) {
  ssize_t got = read(c->fd, read_buffer, READ_BYTES);
  if (got < 0 && errno != EAGAIN) die("read");
  if (got == 0) fail("the server ended a handshake");
  return got < 0 ? 0 : got;
}

/* Open, 101, reset; so many at a time. */
int run_handshakes(void) {
  request_bytes = make_request(request, sizeof request);
  int poll_fd = epoll_create1(0);
  connection *all = calloc((size_t)opt.concurrency, sizeof *all);
  for (int i = 0; i < opt.concurrency; i++) open_in(&all[i], poll_fd);
  double from = now() + opt.warmup, until = from + opt.seconds, t = now();
  uint64_t handshakes = 0;
  int measuring = 0;
  struct epoll_event events[256];
  while (t < until) {
    int n = epoll_wait(poll_fd, events, 256, 5000);
    if (n == 0) fail("no handshake ended within 5 seconds");
    t = now();
    if (!measuring && t >= from) {
      begin_measuring();
      measuring = 1, handshakes = 0, from = t, until = t + opt.seconds;
    }
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) send_request(c, poll_fd);
      if (!(events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))) continue;
      if (read_head(c, read_buffer, (size_t)receive(c)) < 0) continue;
      handshakes++;
      add_sample(now() - c->sent_at);
      reset_connection(c->fd);
      open_in(c, poll_fd);
    }
  }
  print_result("handshakes/s", handshakes, t - from);
  return 0;
}

/* Opens so many, some at a time; each sends one batch, gets its reply and stays. Returns the seconds it took. */
static double pass(connection *all, int poll_fd) {
  double from = now();
  int opened = 0, answered = 0;
  while (opened < opt.concurrency && opened < opt.connections) open_in(&all[opened++], poll_fd);
  struct epoll_event events[256];
  while (answered < opt.connections) {
    int n = epoll_wait(poll_fd, events, 256, 5000);
    if (n == 0) fail("nothing came within 5 seconds");
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) send_request(c, poll_fd);
      if (!(events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))) continue;
      size_t got = (size_t)receive(c);
      const uint8_t *p = read_buffer;
      double opened_at = c->sent_at;
      if (c->head_ends < 4) {
        ssize_t head = read_head(c, p, got);
        if (head < 0) continue;
        p += head, got -= (size_t)head;
        start_batch(c);
        c->sent_at = opened_at;
      }
      c->due -= count_replies(c, p, got);
      if (c->due > 0) continue;
      add_sample(now() - c->sent_at);
      if (epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL) < 0) die("epoll_ctl");
      answered++;
      if (opened < opt.connections) open_in(&all[opened++], poll_fd);
    }
  }
  return now() - from;
}

/* Twice: the first pass is the warm-up. */
int run_once(void) {
  request_bytes = make_request(request, sizeof request);
  read_batches();
  int poll_fd = epoll_create1(0);
  connection *all = calloc((size_t)opt.connections, sizeof *all);
  pass(all, poll_fd);
  for (int i = 0; i < opt.connections; i++) reset_connection(all[i].fd);
  usleep(700 * 1000);
  begin_measuring();
  double took = pass(all, poll_fd);
  print_result("conns/s", (uint64_t)opt.connections, took);
  for (int i = 0; i < opt.connections; i++) reset_connection(all[i].fd);
  return 0;
}
