/*
 * The load of the bench of brokers: members of groups on several nodes, and one publisher. One thread, epoll, frames made
 * before they are needed, deliveries counted by their headers. It speaks WebSocket alone (Hawser) or Socket.IO over it.
 *
 *   load protocol=hawser|socketio ports=A,B publisher=PORT members=N groups=N memberships=N payload=BYTES
 *        inflight=N seconds=S warmup=S
 *
 * Member i is on node i modulo their number, in the groups i .. i + memberships - 1 (modulo groups). The publisher sends
 * `inflight` messages in one write, to one group after another, and the next ones when all of them are delivered.
 * It prints "ready" when every group was reached and the warm-up is over, begins to measure upon a line on its input, and
 * prints a line of JSON: times are in microseconds, from the write to the last delivery of a batch.
 */
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

#define MAX_NODES 8
#define MAX_SAMPLES (1 << 20)
#define READ_BYTES (256 * 1024)
#define SILENCE_MS 250

static struct {
  int socketio, ports[MAX_NODES], nodes, publisher, members, groups, memberships, payload, inflight;
  double seconds, warmup;
} opt = {.members = 1, .groups = 1, .memberships = 1, .payload = 32, .inflight = 1, .seconds = 2, .warmup = 0.5};

typedef struct {
  int fd, is_local, header_have;
  uint8_t header[10];
  uint64_t left;
} connection;

enum { LAST, LOCAL, REMOTE, ADDED, KINDS };
static float *samples[KINDS];
static size_t sample_count;
static uint8_t read_buffer[READ_BYTES];
static uint8_t **batches;
static size_t *batch_bytes;
static int batch_count, next_batch, poll_fd;
static connection *all, publisher;
static long deliveries;
static double last_local, last_remote;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- frames ---- */

static size_t put_frame(uint8_t *into, const char *text, size_t bytes) {
  uint8_t mask[4] = {(uint8_t)rand(), (uint8_t)rand(), (uint8_t)rand(), (uint8_t)rand()};
  size_t at = 0;
  into[at++] = 0x81;
  if (bytes < 126) into[at++] = (uint8_t)(0x80 | bytes);
  else into[at++] = 0x80 | 126, into[at++] = (uint8_t)(bytes >> 8), into[at++] = (uint8_t)bytes;
  memcpy(into + at, mask, 4), at += 4;
  for (size_t i = 0; i < bytes; i++) into[at + i] = (uint8_t)text[i] ^ mask[i & 3];
  return at + bytes;
}

/* The bytes of a delivery: those of Socket.IO have the name of the event and the quotes of JSON around the payload. */
static uint64_t delivery_bytes(void) { return (uint64_t)opt.payload + (opt.socketio ? strlen("42[\"m\",\"\"]") : 0); }

static void make_batches(void) {
  batch_count = opt.groups > 1 ? (opt.groups + opt.inflight - 1) / opt.inflight : 16;
  batches = malloc(sizeof *batches * (size_t)batch_count);
  batch_bytes = calloc((size_t)batch_count, sizeof *batch_bytes);
  char *text = malloc((size_t)opt.payload + 64), *payload = malloc((size_t)opt.payload + 1);
  for (int b = 0; b < batch_count; b++) {
    batches[b] = malloc(((size_t)opt.payload + 64) * (size_t)opt.inflight);
    for (int k = 0; k < opt.inflight; k++) {
      int length = snprintf(payload, (size_t)opt.payload + 1, "%04d", (b * opt.inflight + k) % opt.groups);
      for (; length < opt.payload; length++) payload[length] = (char)('a' + rand() % 26);
      payload[length] = 0;
      int bytes = sprintf(text, opt.socketio ? "42[\"m\",\"%s\"]" : "%s", payload);
      batch_bytes[b] += put_frame(batches[b] + batch_bytes[b], text, (size_t)bytes);
    }
  }
}

/* ---- opening ---- */

static void read_exactly(int fd, void *into, size_t bytes) {
  for (size_t have = 0; have < bytes;) {
    ssize_t n = read(fd, (char *)into + have, bytes - have);
    if (n <= 0) fail("the server ended a connection while it opened");
    have += (size_t)n;
  }
}

/* Reads one short text frame, and checks how it begins. */
static void expect_text(int fd, const char *start) {
  uint8_t header[2], more[2];
  read_exactly(fd, header, 2);
  size_t length = header[1];
  if (length == 126) read_exactly(fd, more, 2), length = (size_t)more[0] << 8 | more[1];
  char text[1024];
  if (header[0] != 0x81 || length >= sizeof text) fail("an unexpected frame while a connection opened");
  read_exactly(fd, text, length);
  text[length] = 0;
  if (strncmp(text, start, strlen(start)) != 0) fail("an unexpected message while a connection opened");
}

static void write_all(int fd, const void *from, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t n = write(fd, (const char *)from + done, bytes - done);
    if (n < 0 && errno == EAGAIN) usleep(50);
    else if (n < 0) die("write");
    else done += (size_t)n;
  }
}

static int open_connection(int port, int first, int count) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  char head[1024];
  int bytes = snprintf(head, sizeof head,
                       "GET %sfirst=%d&count=%d&of=%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
                       "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       opt.socketio ? "/socket.io/?EIO=4&transport=websocket&" : "/?", first, count, opt.groups, port);
  write_all(fd, head, (size_t)bytes);
  size_t have = 0;
  while (have < 4 || memcmp(head + have - 4, "\r\n\r\n", 4) != 0) {
    if (have == sizeof head) fail("the head of a response is too long");
    read_exactly(fd, head + have++, 1);
  }
  if (memcmp(head, "HTTP/1.1 101", 12) != 0) fail("the server did not upgrade");
  if (opt.socketio) {
    uint8_t frame[16];
    expect_text(fd, "0{");
    write_all(fd, frame, put_frame(frame, "40", 2));
    expect_text(fd, "40{");
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

static void watch(connection *c) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
}

static void open_all(void) {
  poll_fd = epoll_create1(0);
  all = calloc((size_t)opt.members, sizeof *all);
  for (int i = 0; i < opt.members; i++) {
    int port = opt.ports[i % opt.nodes];
    all[i].fd = open_connection(port, i, opt.memberships);
    all[i].is_local = port == opt.publisher;
    watch(&all[i]);
  }
  publisher.fd = open_connection(opt.publisher, 0, 0);
  watch(&publisher);
}

/* ---- deliveries ---- */

static size_t header_bytes(const connection *c) {
  int length = c->header_have < 2 ? 0 : c->header[1] & 0x7f;
  return length == 126 ? 4 : length == 127 ? 10 : 2;
}

/* Counts the deliveries that begin in what was read. Pings, of WebSocket and of Engine.IO, are none. */
static int count_deliveries(connection *c, const uint8_t *p, size_t n) {
  int found = 0;
  while (n > 0) {
    if (c->left > 0) {
      size_t take = n < c->left ? n : (size_t)c->left;
      c->left -= take, p += take, n -= take;
      continue;
    }
    c->header[c->header_have++] = *p++, n--;
    if ((size_t)c->header_have < header_bytes(c)) continue;
    uint64_t length = c->header[1] & 0x7f;
    if (length == 126) length = (uint64_t)c->header[2] << 8 | c->header[3];
    if (length == 127) fail("a message that is far too long");
    c->left = length, c->header_have = 0;
    if (c->header[0] == 0x88) fail("the server sent a Close frame");
    if (c->header[0] != 0x81 || length <= 1) continue;
    if (length != delivery_bytes()) fail("a message of the wrong length");
    if (c == &publisher) fail("a message came to the publisher");
    found++;
  }
  return found;
}

/* Waits for something to read, and counts. Returns 0 where nothing came. */
static int pump(int timeout_ms) {
  struct epoll_event events[256];
  int n = epoll_wait(poll_fd, events, 256, timeout_ms);
  for (int i = 0; i < n; i++) {
    connection *c = events[i].data.ptr;
    ssize_t got = read(c->fd, read_buffer, READ_BYTES);
    if (got == 0) fail("the server closed a connection");
    if (got < 0) {
      if (errno == EAGAIN) continue;
      die("read");
    }
    int found = count_deliveries(c, read_buffer, (size_t)got);
    if (found == 0) continue;
    deliveries += found;
    if (c->is_local) last_local = now();
    else last_remote = now();
  }
  return n;
}

static long due_for_batch(void) { return (long)opt.inflight * opt.members * opt.memberships / opt.groups; }

/* Sends a batch and waits until it is delivered. Returns 0 where it was not, and nothing came any more. */
static int exchange(int timeout_ms) {
  deliveries = 0, last_local = last_remote = 0;
  double sent = now();
  write_all(publisher.fd, batches[next_batch], batch_bytes[next_batch]);
  next_batch = (next_batch + 1) % batch_count;
  while (deliveries < due_for_batch())
    if (pump(timeout_ms) == 0) return 0;
  if (deliveries > due_for_batch()) fail("more deliveries than were due");
  if (sample_count < MAX_SAMPLES) {
    double last = last_local > last_remote ? last_local : last_remote;
    samples[LAST][sample_count] = (float)((last - sent) * 1e6);
    samples[LOCAL][sample_count] = (float)((last_local - sent) * 1e6);
    samples[REMOTE][sample_count] = (float)((last_remote - sent) * 1e6);
    samples[ADDED][sample_count] = (float)((last_remote - last_local) * 1e6);
    sample_count++;
  }
  return 1;
}

/* Until each node has heard of each group: all of them are sent to, until nothing is missing. */
static void settle(void) {
  for (int attempt = 0; attempt < 60; attempt++) {
    int whole = 1;
    next_batch = 0;
    for (int b = 0; whole && b < batch_count; b++) whole = exchange(SILENCE_MS);
    if (whole) return;
    while (pump(SILENCE_MS) > 0) continue;
  }
  fail("messages do not reach every member");
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void print_samples(const char *name, int kind) {
  qsort(samples[kind], sample_count, sizeof(float), by_value);
  double top = (double)(sample_count - 1);
  printf(",\"%s\":{\"p50\":%.1f,\"p99\":%.1f}", name, (double)samples[kind][(size_t)(top * 0.5)],
         (double)samples[kind][(size_t)(top * 0.99)]);
}

static double own_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_option(char *text) {
  char *value = strchr(text, '=');
  if (value == NULL) fail("an argument is not name=value");
  *value++ = 0;
#define IS(name) (strcmp(text, name) == 0)
  if (IS("protocol")) opt.socketio = strcmp(value, "socketio") == 0;
  else if (IS("ports"))
    for (char *one = strtok(value, ","); one != NULL && opt.nodes < MAX_NODES; one = strtok(NULL, ","))
      opt.ports[opt.nodes++] = atoi(one);
  else if (IS("publisher")) opt.publisher = atoi(value);
  else if (IS("members")) opt.members = atoi(value);
  else if (IS("groups")) opt.groups = atoi(value);
  else if (IS("memberships")) opt.memberships = atoi(value);
  else if (IS("payload")) opt.payload = atoi(value);
  else if (IS("inflight")) opt.inflight = atoi(value);
  else if (IS("seconds")) opt.seconds = atof(value);
  else if (IS("warmup")) opt.warmup = atof(value);
  else fail("an argument that is not known");
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) read_option(argv[i]);
  if (opt.nodes == 0 || opt.payload < 8 || opt.payload > 60000 || opt.inflight < 1) fail("the arguments are not whole");
  if (opt.groups > 1 && opt.groups % opt.inflight != 0) fail("groups is no multiple of inflight");
  for (int kind = 0; kind < KINDS; kind++) samples[kind] = malloc(MAX_SAMPLES * sizeof(float));
  make_batches();
  open_all();
  settle();
  for (double until = now() + opt.warmup; now() < until;)
    if (!exchange(5000)) fail("a message was not delivered within 5 seconds");
  printf("ready\n"), fflush(stdout);
  char line[16];
  if (fgets(line, sizeof line, stdin) == NULL) return 1;

  sample_count = 0;
  long total = 0, messages = 0;
  double from = now(), cpu = own_cpu(), until = from + opt.seconds, t = from;
  for (; t < until; t = now()) {
    if (!exchange(5000)) fail("a message was not delivered within 5 seconds");
    total += deliveries, messages += opt.inflight;
  }
  printf("{\"messages\":%ld,\"deliveries\":%ld,\"seconds\":%.6f,\"loadCpuSeconds\":%.6f", messages, total, t - from,
         own_cpu() - cpu);
  int has_local = 0, has_remote = 0;
  for (int i = 0; i < opt.members; i++) has_local |= all[i].is_local, has_remote |= !all[i].is_local;
  if (sample_count > 0) {
    print_samples("last", LAST);
    if (has_local && has_remote) {
      print_samples("local", LOCAL);
      print_samples("remote", REMOTE);
      print_samples("added", ADDED);
    }
  }
  printf("}\n"), fflush(stdout);
  /* What was measured is read now, with every connection open. */
  return fgets(line, sizeof line, stdin) == NULL;
}
