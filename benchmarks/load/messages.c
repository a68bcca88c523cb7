/* Messages over connections that stay open: echo, and one sender whose messages everyone receives. */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Reads all there is. Returns how many replies ended. */
static int drain(connection *c) {
  int ended = 0;
  for (;;) {
    ssize_t got = read_bytes(c, read_buffer, READ_BYTES);
    if (got < 0) {
      if (errno == EAGAIN) return ended;
      die("read");
    }
    if (got == 0) fail("the server closed a connection");
    ended += count_replies(c, read_buffer, (size_t)got);
    /* Of TLS each record comes by itself. */
    if (c->ssl == NULL && (size_t)got < READ_BYTES) return ended;
  }
}

/* Each connection sends its next batch when all replies to the last one came. */
int run_echo(void) {
  read_batches();
  int poll_fd = epoll_create1(0);
  connection *all = open_all(poll_fd);
  for (int i = 0; i < opt.connections; i++) {
    /* What keeps a context begins where its context begins. */
    all[i].batch = opt.loop > 0 ? 0 : i % (int)batch_count;
    start_batch(&all[i]);
  }
  double from = now() + opt.warmup, until = from + opt.seconds, t = now();
  uint64_t messages = 0;
  int measuring = 0;
  struct epoll_event events[256];
  while (t < until) {
    int n = epoll_wait(poll_fd, events, 256, 1000);
    t = now();
    if (!measuring && t >= from) {
      begin_measuring();
      measuring = 1, messages = 0, from = t, until = t + opt.seconds;
    }
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (c->write_left > 0) flush_connection(c);
      int ended = drain(c);
      messages += (uint64_t)ended;
      c->due -= ended;
      if (c->due < 0) fail("more replies than messages");
      if (c->due == 0) {
        add_sample(now() - c->sent_at);
        start_batch(c);
      }
    }
  }
  print_result("msg/s", messages, t - from);
  return 0;
}

/* The first connection sends the next batch when all connections have received the last one. */
int run_fanout(void) {
  read_batches();
  int poll_fd = epoll_create1(0);
  connection *all = open_all(poll_fd), *sender = all;
  /* That the server knows of all of them, also of the last. */
  usleep(100 * 1000);
  start_batch(sender);
  long due = (long)batch_replies * opt.connections;
  double from = now() + opt.warmup, until = from + opt.seconds, t = now();
  uint64_t deliveries = 0;
  int measuring = 0;
  struct epoll_event events[256];
  while (t < until) {
    int n = epoll_wait(poll_fd, events, 256, 5000);
    if (n == 0) fail("not everyone received a message within 5 seconds");
    t = now();
    if (!measuring && t >= from) {
      begin_measuring();
      measuring = 1, deliveries = 0, from = t, until = t + opt.seconds;
    }
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (c->write_left > 0) flush_connection(c);
      int ended = drain(c);
      deliveries += (uint64_t)ended;
      due -= ended;
      if (due < 0) fail("more deliveries than were due");
      if (due == 0) {
        add_sample(now() - sender->sent_at);
        due = (long)batch_replies * opt.connections;
        start_batch(sender);
      }
    }
  }
  print_result("deliveries/s", deliveries, t - from);
  return 0;
}

/* Opens them and holds them until its input ends. */
int run_idle(void) {
  connection *all = open_all(epoll_create1(0));
  printf("ready\n");
  fflush(stdout);
  char c;
  while (read(0, &c, 1) > 0) continue;
  for (int i = 0; i < opt.connections; i++) reset_connection(all[i].fd);
  return 0;
}
