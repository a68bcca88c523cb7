/* Connections that follow scripts: steps over bytes that were made before. See ../lib/script-file.mjs for the file. */
#define _GNU_SOURCE
#include "peers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND = 1, HEAD, READ, END, WAIT, FIN, RESET, CLOSE, FLOOD, DRIBBLE, DEAF, OPS };
/* How a script ended: as written; the peer ended it before; another status; a time ran out; no connection. */
enum { DONE, CUT, REFUSED, STUCK, LOST, OUTCOMES };
static const char *const NAMES[OUTCOMES] = {"done", "cut", "refused", "stuck", "lost"};

#define MAX_STATUS 600
#define CONNECT_SECONDS 10.0
#define SEND_SECONDS 20.0
/* A flood writes so many blocks at one connection before it is another one's turn. */
#define BLOCKS_A_TURN 4
/* The wheel of timers: a slot for each millisecond; longer times go round again. */
#define SLOTS 8192

typedef struct { uint32_t op, a, b, c; } step;

typedef struct {
  uint32_t first, count, receive_buffer;
  uint64_t outcomes[OUTCOMES];
} script;

typedef struct line {
  int fd;                         /* -1: none */
  int is_connected, is_counted;   /* counted among the accepted */
  uint32_t events;                /* what the poll waits for */
  script *of;
  uint32_t at, moved;             /* the step, and how many of its bytes are done */
  uint64_t extra;                 /* bytes after the head that no step has taken */
  int head_ends, head_have;
  char head[13];
  double deadline;                /* of the step; 0: none */
  struct line *earlier, *later;   /* in a slot of the wheel */
  int slot;                       /* -1: none */
} line;

static script *scripts;
static step *steps;
static uint32_t script_count, step_count, sequence_count, *sequence;
static uint8_t *bytes;
static line *lines, *slots[SLOTS];
static int poll_fd, stopping;
static uint64_t started, ended, statuses[MAX_STATUS], bytes_sent, accepted_now, accepted_most, most_from;
static long ticked;
static double began;

/* ---- the file ---- */

static void read_exactly(FILE *f, void *into, size_t n) {
  if (n > 0 && fread(into, 1, n, f) != n) fail("the file of scripts is cut short");
}

static uint32_t read_number(FILE *f) {
  uint32_t value;
  read_exactly(f, &value, sizeof value);
  return value;
}

/* Four counts: scripts, steps, the sequence, bytes. Then three numbers for each script, four for each step, and the others. */
static void read_scripts(void) {
  FILE *f = fopen(peers.file, "rb");
  if (f == NULL) die("the scripts");
  script_count = read_number(f), step_count = read_number(f), sequence_count = read_number(f);
  uint32_t byte_count = read_number(f);
  if (script_count == 0 || sequence_count == 0) fail("no scripts");
  scripts = calloc(script_count, sizeof *scripts);
  for (uint32_t i = 0; i < script_count; i++)
    scripts[i].first = read_number(f), scripts[i].count = read_number(f), scripts[i].receive_buffer = read_number(f);
  steps = calloc(step_count + 1, sizeof *steps);
  read_exactly(f, steps, sizeof *steps * step_count);
  sequence = calloc(sequence_count, sizeof *sequence);
  read_exactly(f, sequence, sizeof *sequence * sequence_count);
  bytes = malloc(byte_count + 1);
  read_exactly(f, bytes, byte_count);
  fclose(f);
}

/* ---- timers ---- */

static long tick_of(double t) { return (long)(t * 1000); }

static void drop_timer(line *l) {
  if (l->slot < 0) return;
  if (l->earlier != NULL) l->earlier->later = l->later;
  else slots[l->slot] = l->later;
  if (l->later != NULL) l->later->earlier = l->earlier;
  l->slot = -1;
}

static void set_timer(line *l, double deadline) {
  drop_timer(l);
  l->deadline = deadline;
  long tick = tick_of(deadline) + 1;
  if (tick <= ticked) tick = ticked + 1;
  if (tick >= ticked + SLOTS) tick = ticked + SLOTS - 1;
  l->slot = (int)(tick % SLOTS);
  l->earlier = NULL, l->later = slots[l->slot];
  if (l->later != NULL) l->later->earlier = l;
  slots[l->slot] = l;
}

/* ---- connections ---- */

static void want(line *l, uint32_t events) {
  if (l->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = l};
  if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, l->fd, &event) < 0) die("epoll_ctl");
  l->events = events;
}

static int has_turns_left(void) { return !stopping && (peers.total == 0 || started < peers.total); }

/* Begins the next connection of a line, once its time has come. */
static void begin(line *l) {
  if (!has_turns_left()) return;
  double t = now();
  if (peers.per_second > 0 && began + (double)started / peers.per_second > t) {
    set_timer(l, began + (double)started / peers.per_second);
    return;
  }
  uint64_t number = started++;
  script *of = &scripts[sequence[number % sequence_count]];
  /* In each pass a script meets the next port. */
  int fd = connect_from(number + number / sequence_count, 0, (int)of->receive_buffer);
  l->of = of;
  if (fd < 0) {
    /* No socket or no port is left: later perhaps. */
    of->outcomes[LOST]++, ended++;
    set_timer(l, t + 0.05);
    return;
  }
  l->fd = fd, l->is_connected = 0, l->is_counted = 0, l->at = 0, l->moved = 0, l->extra = 0;
  l->head_ends = l->head_have = 0, l->events = EPOLLOUT;
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = l};
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  set_timer(l, t + CONNECT_SECONDS);
}

static void finish(line *l, int outcome, int resets) {
  l->of->outcomes[outcome]++, ended++;
  if (l->is_counted) accepted_now--;
  if (resets) reset_connection(l->fd);
  else close(l->fd);
  l->fd = -1;
  drop_timer(l);
  begin(l);
}

static int is_gone(void) { return errno == ECONNRESET || errno == EPIPE || errno == ETIMEDOUT; }

/* ---- steps ---- */

/* Reads what is there and forgets it. Returns 1 where the peer has ended. */
static int discard(line *l) {
  for (int i = 0; i < 8; i++) {
    ssize_t n = read(l->fd, read_buffer, READ_BYTES);
    if (n == 0) return 1;
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0 && is_gone()) return 1;
    if (n < 0) die("read");
  }
  return 0;
}

/* Looks for the end of the head. Returns the status when it is there, 0 while it is not, -1 where the peer has ended. */
static int read_response(line *l) {
  for (;;) {
    ssize_t n = read(l->fd, read_buffer, READ_BYTES);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0 && !is_gone()) die("read");
    if (n <= 0) return -1;
    for (ssize_t i = 0; i < n; i++) {
      if (l->head_have < 12) l->head[l->head_have++] = (char)read_buffer[i];
      l->head_ends = read_buffer[i] == (uint8_t)"\r\n\r\n"[l->head_ends] ? l->head_ends + 1 : read_buffer[i] == '\r';
      if (l->head_ends < 4) continue;
      l->head[12] = 0;
      l->extra = (uint64_t)(n - i - 1);
      int status = strncmp(l->head, "HTTP/1.1 ", 9) == 0 ? atoi(l->head + 9) : 1;
      return status > 0 && status < MAX_STATUS ? status : 1;
    }
  }
}

/* 1: the step is over; 0: it waits; -1: the connection is over. */
static int take_step(line *l, const step *s, int is_new) {
  if (is_new) {
    l->moved = 0;
    drop_timer(l);
  }
  double t = now();
  switch (s->op) {
  case SEND:
    while (l->moved < s->b) {
      ssize_t n = write(l->fd, bytes + s->a + l->moved, s->b - l->moved);
      if (n < 0 && errno == EAGAIN) {
        if (l->slot < 0) set_timer(l, t + SEND_SECONDS);
        return want(l, EPOLLOUT), 0;
      }
      if (n < 0 && is_gone()) return finish(l, CUT, 0), -1;
      if (n < 0) die("write");
      l->moved += (uint32_t)n, bytes_sent += (uint64_t)n;
    }
    return 1;
  case HEAD: {
    if (is_new && s->b > 0) set_timer(l, t + s->b / 1e3);
    int status = read_response(l);
    if (status < 0) return finish(l, CUT, 0), -1;
    if (status == 0) return want(l, EPOLLIN), 0;
    statuses[status]++;
    if (status != (int)s->a && !(s->a == 0 && status != 101)) return finish(l, REFUSED, 0), -1;
    if (status == 101) {
      l->is_counted = 1;
      if (++accepted_now > accepted_most) accepted_most = accepted_now;
      if (accepted_now > most_from) most_from = accepted_now;
    }
    return 1;
  }
  case READ: {
    if (is_new && s->b > 0) set_timer(l, t + s->b / 1e3);
    while (l->extra < s->a) {
      ssize_t n = read(l->fd, read_buffer, READ_BYTES);
      if (n < 0 && errno == EAGAIN) return want(l, EPOLLIN), 0;
      if (n < 0 && !is_gone()) die("read");
      if (n <= 0) return finish(l, CUT, 0), -1;
      l->extra += (uint64_t)n;
    }
    l->extra -= s->a;
    return 1;
  }
  case END:
    if (is_new && s->a > 0) set_timer(l, t + s->a / 1e3);
    if (discard(l)) return 1;
    return want(l, EPOLLIN), 0;
  case WAIT:
    if (is_new) set_timer(l, t + s->a / 1e3);
    return want(l, 0), 0;
  case FIN:
    shutdown(l->fd, SHUT_WR);
    return 1;
  case RESET: return finish(l, DONE, 1), -1;
  case CLOSE: return finish(l, DONE, 0), -1;
  case FLOOD:
    if (is_new && s->c > 0) set_timer(l, t + s->c / 1e3);
    if (discard(l)) return 1;
    for (int i = 0; i < BLOCKS_A_TURN; i++) {
      ssize_t n = write(l->fd, bytes + s->a + l->moved, s->b - l->moved);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0 && is_gone()) return 1;
      if (n < 0) die("write");
      bytes_sent += (uint64_t)n;
      l->moved = (l->moved + (uint32_t)n) % s->b;
    }
    return want(l, EPOLLIN | EPOLLOUT), 0;
  case DRIBBLE: {
    if (!is_new && (l->events & EPOLLIN) && discard(l)) return finish(l, CUT, 0), -1;
    if (l->slot >= 0) return 0;
    if (l->moved == s->b) return 1;
    ssize_t n = write(l->fd, bytes + s->a + l->moved, 1);
    if (n < 0 && is_gone()) return finish(l, CUT, 0), -1;
    if (n > 0) l->moved++, bytes_sent++;
    set_timer(l, t + s->c / 1e3);
    return want(l, EPOLLIN), 0;
  }
  case DEAF:
    if (is_new) set_timer(l, t + s->a / 1e3);
    return want(l, EPOLLRDHUP), 0;
  default: fail("a step that is not known");
  }
  return -1;
}

/* Goes on with the step that is under way, and with those after it. */
static void run(line *l, int is_new) {
  for (;;) {
    if (l->at == l->of->count) {
      finish(l, DONE, 0);
      return;
    }
    int result = take_step(l, &steps[l->of->first + l->at], is_new);
    if (result <= 0) return;
    l->at++, is_new = 1;
  }
}

static const step *step_of(const line *l) { return &steps[l->of->first + l->at]; }

static void on_event(line *l, uint32_t events) {
  if (l->fd < 0) return;
  if (!l->is_connected) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      finish(l, LOST, 0);
      return;
    }
    l->is_connected = 1;
    run(l, 1);
    return;
  }
  const step *s = step_of(l);
  if (s->op == WAIT) {
    if (events & (EPOLLERR | EPOLLHUP)) finish(l, CUT, 0);
  } else if (s->op == DEAF) {
    l->at++;
    run(l, 1);
  } else run(l, 0);
}

static void on_time(line *l, double t) {
  if (l->fd < 0) {
    begin(l);
    return;
  }
  if (l->deadline > t + 0.0005) {
    set_timer(l, l->deadline);
    return;
  }
  const step *s = step_of(l);
  if (!l->is_connected) finish(l, LOST, 1);
  else if (s->op == WAIT || s->op == DEAF || s->op == FLOOD) {
    l->at++;
    run(l, 1);
  } else if (s->op == DRIBBLE) run(l, 0);
  else finish(l, STUCK, 1);
}

static void run_timers(void) {
  double t = now();
  for (long until = tick_of(t); ticked < until;) {
    ticked++;
    line *l = slots[ticked % SLOTS];
    slots[ticked % SLOTS] = NULL;
    /* Out of the wheel first: what one of them does must not meet another one of this list there. */
    for (line *one = l; one != NULL; one = one->later) one->slot = -1;
    while (l != NULL) {
      line *next = l->later;
      l->earlier = l->later = NULL;
      on_time(l, t);
      l = next;
    }
  }
}

/* ---- the report ---- */

static void report(void) {
  printf("{\"started\":%llu,\"ended\":%llu,\"bytesSent\":%llu,\"open\":%llu,\"most\":%llu,\"mostSince\":%llu,\"statuses\":{",
         (unsigned long long)started, (unsigned long long)ended, (unsigned long long)bytes_sent,
         (unsigned long long)accepted_now, (unsigned long long)accepted_most, (unsigned long long)most_from);
  const char *comma = "";
  for (int i = 0; i < MAX_STATUS; i++) {
    if (statuses[i] == 0) continue;
    printf("%s\"%d\":%llu", comma, i, (unsigned long long)statuses[i]);
    comma = ",";
  }
  printf("},\"scripts\":[");
  for (uint32_t i = 0; i < script_count; i++) {
    printf("%s{", i > 0 ? "," : "");
    for (int k = 0; k < OUTCOMES; k++)
      printf("%s\"%s\":%llu", k > 0 ? "," : "", NAMES[k], (unsigned long long)scripts[i].outcomes[k]);
    printf("}");
  }
  printf("]}\n");
  fflush(stdout);
  most_from = accepted_now;
}

int run_scripts(void) {
  read_scripts();
  lines = calloc((size_t)peers.connections, sizeof *lines);
  poll_fd = epoll_create1(0);
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &input);
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  began = now();
  ticked = tick_of(began);
  for (int i = 0; i < peers.connections; i++) lines[i].fd = lines[i].slot = -1;
  for (int i = 0; i < peers.connections; i++) begin(&lines[i]);
  struct epoll_event events[512];
  while (peers.total == 0 || ended < peers.total) {
    int n = epoll_wait(poll_fd, events, 512, 1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr != NULL) {
        on_event(events[i].data.ptr, events[i].events);
        continue;
      }
      const char *command = read_command();
      if (command == NULL) continue;
      if (strcmp(command, "end") == 0) {
        stopping = 1;
        report();
        for (int k = 0; k < peers.connections; k++)
          if (lines[k].fd >= 0) reset_connection(lines[k].fd);
        return 0;
      }
      report();
    }
    run_timers();
  }
  report();
  return 0;
}
