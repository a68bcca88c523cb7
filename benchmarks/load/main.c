/*
 * A load generator for WebSocket servers, light enough not to be what is measured: one thread, epoll, frames made once
 * by the runner, all that is due to one connection in one write, replies counted by their headers. The payload of the
 * first reply is written to a file, where the runner compares it.
 *
 *   load mode=echo|fanout|idle|handshakes|once port=N connections=N file=PATH reply=BYTES seconds=S warmup=S
 *        [raw=1] [tls=1] [pid=N] [dump=PATH] [concurrency=N] [loop=N] [offer=TEXT]
 *
 * tls=1 is for the first three modes. mode=tls only says, by its exit code, whether this machine has what TLS needs.
 * Prints one line of JSON: how many, seconds, times in microseconds, processor time of the server for each.
 */
#include "load.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

options opt = {.mode = "", .reply = -1, .connections = 1, .seconds = 3, .warmup = 1, .concurrency = 32,
               .offer = "permessage-deflate; client_max_window_bits"};

static void read_option(char *text) {
  char *value = strchr(text, '=');
  if (value == NULL) fail("an argument is not name=value");
  *value++ = 0;
#define IS(name) (strcmp(text, name) == 0)
  if (IS("mode")) opt.mode = value;
  else if (IS("port")) opt.port = atoi(value);
  else if (IS("connections")) opt.connections = atoi(value);
  else if (IS("seconds")) opt.seconds = atof(value);
  else if (IS("warmup")) opt.warmup = atof(value);
  else if (IS("file")) opt.file = value;
  else if (IS("dump")) opt.dump = value;
  else if (IS("reply")) opt.reply = atoll(value);
  else if (IS("raw")) opt.raw = atoi(value);
  else if (IS("tls")) opt.tls = atoi(value);
  else if (IS("pid")) opt.pid = atoi(value);
  else if (IS("concurrency")) opt.concurrency = atoi(value);
  else if (IS("loop")) opt.loop = atoi(value);
  else if (IS("offer")) opt.offer = value;
  else fail("an argument that is not known");
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < argc; i++) read_option(argv[i]);
  if (strcmp(opt.mode, "tls") == 0) return load_tls() ? 0 : 1;
  if (opt.tls && !load_tls()) fail("there is no libssl here");
  if (strcmp(opt.mode, "echo") == 0) return run_echo();
  if (strcmp(opt.mode, "fanout") == 0) return run_fanout();
  if (strcmp(opt.mode, "idle") == 0) return run_idle();
  if (opt.tls) fail("over TLS mode is echo, fanout or idle");
  if (strcmp(opt.mode, "handshakes") == 0) return run_handshakes();
  if (strcmp(opt.mode, "once") == 0) return run_once();
  fail("mode is echo, fanout, idle, handshakes or once");
  return 2;
}
