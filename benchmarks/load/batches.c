/* What is sent, made once by the runner, and the counting of what comes back. */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t batch_count, batch_replies;
uint64_t replies_compressed, reply_bytes_total;
uint8_t read_buffer[READ_BYTES];
static uint64_t *offsets;
static uint8_t *batches;
static FILE *dump;
static int dump_done;
static connection *dump_of;

static void read_exactly(FILE *f, void *into, size_t n) {
  if (fread(into, 1, n, f) != n) fail("the file of batches is cut short");
}

/* The file: how many batches, how many replies each gets, count + 1 offsets, the bytes. Little endian. */
void read_batches(void) {
  FILE *f = fopen(opt.file, "rb");
  if (f == NULL) die(opt.file);
  read_exactly(f, &batch_count, sizeof batch_count);
  read_exactly(f, &batch_replies, sizeof batch_replies);
  if (batch_count == 0 || batch_replies == 0) fail("no batches");
  if (opt.loop < 0 || (uint32_t)opt.loop >= batch_count) fail("loop is no batch");
  offsets = malloc(sizeof *offsets * ((size_t)batch_count + 1));
  read_exactly(f, offsets, sizeof *offsets * ((size_t)batch_count + 1));
  batches = malloc(offsets[batch_count]);
  read_exactly(f, batches, offsets[batch_count]);
  fclose(f);
  if (opt.dump != NULL && (dump = fopen(opt.dump, "wb")) == NULL) die(opt.dump);
}

void flush_connection(connection *c) {
  while (c->write_left > 0) {
    ssize_t n = write_bytes(c, c->to_write, c->write_left);
    if (n < 0) {
      if (errno == EAGAIN) return;
      die("write");
    }
    c->to_write += n;
    c->write_left -= (size_t)n;
  }
}

void start_batch(connection *c) {
  c->to_write = batches + offsets[c->batch];
  c->write_left = offsets[c->batch + 1] - offsets[c->batch];
  c->due = (int)batch_replies;
  c->sent_at = now();
  if (dump != NULL && dump_of == NULL) {
    dump_of = c;
    fputc(c->batch & 255, dump); /* which batch it answers: two octets before the payload */
    fputc(c->batch >> 8, dump);
  }
  if ((uint32_t)++c->batch == batch_count) c->batch = opt.loop;
  flush_connection(c);
}

static int is_dumped(const connection *c) { return c == dump_of && !dump_done; }

static void end_dump(void) {
  fclose(dump);
  dump_done = 1;
}

/* The whole header is there: checks it. */
static void begin_frame(connection *c) {
  int opcode = c->header[0] & 0x0f;
  uint64_t length = c->header[1] & 0x7f;
  if (length == 126) length = (uint64_t)c->header[2] << 8 | c->header[3];
  else if (length == 127) {
    length = 0;
    for (int i = 0; i < 8; i++) length = length << 8 | c->header[2 + i];
  }
  c->payload_left = length;
  if (opcode >= 8) {
    if (opcode == 8) fail("the server sent a Close frame");
    return;
  }
  if (opcode > 2 || (opcode == 0) != (c->in_message != 0)) fail("a reply of the wrong opcode");
  if (!c->in_message) {
    c->message_bytes = 0;
    if (c->header[0] & 0x40) replies_compressed++;
    if (is_dumped(c)) fputc(c->header[0], dump); /* then its first octet */
  }
  c->message_bytes += length;
  reply_bytes_total += length + (uint64_t)c->header_have;
  c->in_message = 1;
  if (!opt.raw && c->header[1] & 0x80) fail("a reply is masked");
}

/* A whole frame was read. Returns 1 where a message ended with it. */
static int end_frame(connection *c) {
  c->header_have = 0;
  if ((c->header[0] & 0x0f) >= 8 || !(c->header[0] & 0x80)) return 0;
  c->in_message = 0;
  if (opt.reply >= 0 && c->message_bytes != (uint64_t)opt.reply) fail("a reply of the wrong length");
  if (is_dumped(c)) end_dump();
  return 1;
}

static int header_bytes(const connection *c) {
  if (c->header_have < 2) return 2;
  int length = c->header[1] & 0x7f;
  return (length == 126 ? 4 : length == 127 ? 10 : 2) + (c->header[1] & 0x80 ? 4 : 0);
}

/* Counts the replies that end in what was read. */
int count_replies(connection *c, const uint8_t *p, size_t n) {
  int ended = 0;
  while (n > 0) {
    if (c->payload_left > 0) {
      size_t take = n < c->payload_left ? n : (size_t)c->payload_left;
      if (is_dumped(c) && (c->header[0] & 0x0f) < 8) fwrite(p, 1, take, dump);
      c->payload_left -= take, p += take, n -= take;
      if (c->payload_left == 0) ended += end_frame(c);
      continue;
    }
    c->header[c->header_have++] = *p++, n--;
    if (c->header_have < header_bytes(c)) continue;
    begin_frame(c);
    if (c->payload_left == 0) ended += end_frame(c);
  }
  return ended;
}
