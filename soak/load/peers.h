/* The peers of a soak: what their files share. Time, errors and samples are those of benchmarks/load. See main.c. */
#ifndef PEERS_H
#define PEERS_H

#include "load.h"

#define MAX_PORTS 8

typedef struct {
  int ports[MAX_PORTS], port_count;
  uint32_t source;      /* the first address that connections come from, in host order */
  int sources;          /* how many addresses from there on */
  int connections;      /* how many at once */
  uint64_t total;       /* how many connections in all; 0: until the end */
  double per_second;    /* so many are opened in a second, at most; 0: as many as go */
  double interval;      /* paced: seconds between two messages of one connection */
  const char *file;     /* the scripts, by lib/script-file.mjs */
  const char *head;     /* paced: a file with the request */
} peer_options;

extern peer_options peers;

/* sockets.c */
/* Connects, from the address of this number. Blocking, or under way. Returns -1 where the system has no socket or port left. */
int connect_from(uint64_t number, int blocking, int receive_buffer);
/* A line of input, without its end, once it is whole; else NULL. After the end of the input it is "end". */
const char *read_command(void);

int run_paced(void);
int run_scripts(void);

#endif
