/*
 * The peers of a soak: one thread, epoll, bytes that were made before. Two kinds, each in a process of its own:
 *
 *   peers mode=paced ports=N head=PATH source=ADDRESS sources=N connections=N interval=SECONDS [per_second=N]
 *     Clients that behave well: each connection sends a text of 32 bytes in every interval, and compares the echo with it.
 *     Prints "ready" when all are open.
 *   peers mode=scripts ports=A,B file=PATH source=ADDRESS sources=N connections=N [total=N] [per_second=N] [idle=1]
 *     Connections that follow scripts, one after another, so many at once. idle=1: in the time that other processes leave.
 *
 * Upon "report" on its input it prints a line of JSON about the time since the last one, upon "end" another one about all, and
 * ends. With total it ends by itself.
 */
#define _GNU_SOURCE
#include "peers.h"
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Of benchmarks/load, whose parts are linked in. */
options opt = {.mode = "", .reply = -1};
peer_options peers = {.sources = 1, .connections = 1, .interval = 1};
static int is_idle;

static void read_ports(char *text) {
  for (char *one = strtok(text, ","); one != NULL; one = strtok(NULL, ",")) {
    if (peers.port_count == MAX_PORTS) fail("too many ports");
    peers.ports[peers.port_count++] = atoi(one);
  }
}

static void read_option(char *text) {
  char *value = strchr(text, '=');
  if (value == NULL) fail("an argument is not name=value");
  *value++ = 0;
#define IS(name) (strcmp(text, name) == 0)
  if (IS("mode")) opt.mode = value;
  else if (IS("ports")) read_ports(value);
  else if (IS("source")) peers.source = ntohl(inet_addr(value));
  else if (IS("sources")) peers.sources = atoi(value);
  else if (IS("connections")) peers.connections = atoi(value);
  else if (IS("total")) peers.total = (uint64_t)atoll(value);
  else if (IS("per_second")) peers.per_second = atof(value);
  else if (IS("interval")) peers.interval = atof(value);
  else if (IS("file")) peers.file = value;
  else if (IS("head")) peers.head = value;
  else if (IS("idle")) is_idle = atoi(value);
  else fail("an argument that is not known");
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < argc; i++) read_option(argv[i]);
  if (peers.port_count == 0 || peers.sources < 1 || peers.connections < 1) fail("ports, sources or connections are missing");
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  struct sched_param none = {0};
  if (is_idle && sched_setscheduler(0, SCHED_IDLE, &none) != 0) die("sched_setscheduler");
  if (strcmp(opt.mode, "paced") == 0) return run_paced();
  if (strcmp(opt.mode, "scripts") == 0) return run_scripts();
  fail("mode is paced or scripts");
  return 2;
}
