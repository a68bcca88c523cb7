/* A load generator for WebSocket servers: what its files share. See main.c for how it is called. */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  const char *mode;
  int port;
  int connections;
  double seconds, warmup;
  const char *file;    /* the batches to send */
  const char *dump;    /* where the payload of the first reply goes */
  long long reply;     /* bytes of each reply; -1: not known (compressed) */
  int raw;             /* the server is a bare echo: no handshake, replies come back masked */
  int pid;             /* of the server, whose processor time is read; 0: none */
  int concurrency;     /* handshakes under way */
  int tls;             /* over TLS */
  int loop;            /* after the last batch comes this one; those before it are sent once */
  const char *offer;   /* the extensions that the client offers */
} options;

typedef struct {
  int fd;
  void *ssl;           /* NULL: without TLS */
  void *tls_input;     /* encrypted bytes that were read */
  int tls_drained;     /* the last read took all that was there */
  int batch;           /* which of the batches is under way */
  int due;             /* replies that are still due for it */
  const uint8_t *to_write;
  size_t write_left;
  uint8_t header[14];
  int header_have;
  int in_message;      /* a fragmented reply is under way */
  uint64_t message_bytes;
  uint64_t payload_left;
  double sent_at;
  int head_ends;       /* how many characters of the end of the response's head were seen */
  int head_have;
  char head[16];       /* the beginning of the response */
} connection;

extern options opt;
extern uint32_t batch_count, batch_replies;
extern uint64_t replies_compressed, reply_bytes_total;
extern uint8_t read_buffer[];
extern char extensions[256]; /* what the first response agreed to */
#define READ_BYTES (256 * 1024)

/* common.c */
void die(const char *what);
void fail(const char *what);
double now(void);
void add_sample(double seconds);
void reset_samples(void);
void begin_measuring(void);
void sort_samples(void);
double percentile(double p);
size_t samples_taken(void);
void print_result(const char *unit, uint64_t count, double seconds);

/* batches.c */
void read_batches(void);
void start_batch(connection *c);
void flush_connection(connection *c);
int count_replies(connection *c, const uint8_t *p, size_t n);

/* tls.c */
int load_tls(void);
void open_tls(connection *c);
void buffer_tls(connection *c);
ssize_t read_tls(connection *c, void *into, size_t bytes);
ssize_t write_tls(connection *c, const void *from, size_t bytes);

/* wire.c */
ssize_t read_bytes(connection *c, void *into, size_t bytes);
ssize_t write_bytes(connection *c, const void *from, size_t bytes);
size_t make_request(char *into, size_t size);
int open_socket(int blocking);
void open_connection(connection *c);
ssize_t read_head(connection *c, const uint8_t *p, size_t n);
void make_nonblocking(int fd);
void reset_connection(int fd);
connection *open_all(int poll_fd);

/* the modes */
int run_echo(void);
int run_fanout(void);
int run_idle(void);
int run_handshakes(void);
int run_once(void);

#endif
