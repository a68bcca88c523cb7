/* Time, samples, errors, and the result. */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES (1 << 21)

static float samples[MAX_SAMPLES];
static size_t sample_count;
static double cpu_at_start;

void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

void fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void add_sample(double seconds) {
  if (sample_count < MAX_SAMPLES) samples[sample_count++] = (float)(seconds * 1e6);
}

void reset_samples(void) { sample_count = 0; }

size_t samples_taken(void) { return sample_count; }

/* Processor time of the server, all threads, user and system, in seconds; -1 where it cannot be read. */
static double server_cpu(void) {
  if (opt.pid == 0) return -1;
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", opt.pid);
  FILE *f = fopen(path, "r");
  if (f == NULL) return -1;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = 0;
  char *p = strrchr(text, ')'); /* the name may hold anything, also spaces */
  unsigned long user, system;
  if (p == NULL || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return -1;
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void begin_measuring(void) {
  reset_samples();
  replies_compressed = reply_bytes_total = 0;
  cpu_at_start = server_cpu();
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Of the samples, in order. */
double percentile(double p) {
  return sample_count == 0 ? 0 : (double)samples[(size_t)((double)(sample_count - 1) * p)];
}

void sort_samples(void) { qsort(samples, sample_count, sizeof *samples, by_value); }

void print_result(const char *unit, uint64_t count, double seconds) {
  double cpu = cpu_at_start < 0 ? -1 : server_cpu() - cpu_at_start;
  sort_samples();
  printf("{\"unit\":\"%s\",\"count\":%llu,\"seconds\":%.4f,\"perSecond\":%.1f,", unit, (unsigned long long)count, seconds,
         (double)count / seconds);
  if (sample_count > 0)
    printf("\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,", percentile(0.5), percentile(0.9), percentile(0.99),
           percentile(0.999));
  if (cpu >= 0 && count > 0) printf("\"cpuMicros\":%.4f,", cpu * 1e6 / (double)count);
  printf("\"compressed\":%llu,\"replyBytes\":%llu,\"extensions\":\"", (unsigned long long)replies_compressed,
         (unsigned long long)reply_bytes_total);
  for (const char *p = extensions; *p; p++)
    if (*p >= ' ' && *p != '"' && *p != '\\') putchar(*p);
  printf("\"}\n");
}
