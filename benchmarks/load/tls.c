/*
 * TLS, by the libssl of the system. It is loaded when it is asked for, and its few functions are declared here, so that a compiler
 * is all that is needed to build the load generator.
 */
#define _GNU_SOURCE
#include "load.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Of openssl/ssl.h; these values have been the same since its first version. */
#define SSL_ERROR_WANT_READ 2
#define SSL_ERROR_WANT_WRITE 3
#define SSL_ERROR_ZERO_RETURN 6
#define SSL_CTRL_MODE 33
#define SSL_MODE_ENABLE_PARTIAL_WRITE 1L

/* Version 1.1 and later: before, there was no TLS_client_method and no SSL_set0_rbio. */
static const char *const libraries[] = {"libssl.so.3", "libssl.so.1.1", "libssl.so"};

static struct {
  void *(*TLS_client_method)(void);
  void *(*SSL_CTX_new)(const void *method);
  long (*SSL_CTX_ctrl)(void *context, int command, long number, void *pointer);
  void *(*SSL_new)(void *context);
  int (*SSL_set_fd)(void *ssl, int fd);
  int (*SSL_connect)(void *ssl);
  int (*SSL_read)(void *ssl, void *into, int bytes);
  int (*SSL_write)(void *ssl, const void *from, int bytes);
  void (*ERR_clear_error)(void);
  int (*SSL_get_error)(const void *ssl, int result);
  void (*SSL_set0_rbio)(void *ssl, void *bio);
  void *(*BIO_s_mem)(void);
  void *(*BIO_new)(const void *type);
  int (*BIO_write)(void *bio, const void *from, int bytes);
} lib;

static void *context;
static uint8_t encrypted[READ_BYTES];

static int find_all(void *handle) {
#define FIND(name) \
  if ((*(void **)&lib.name = dlsym(handle, #name)) == NULL) return 0
  FIND(TLS_client_method);
  FIND(SSL_CTX_new);
  FIND(SSL_CTX_ctrl);
  FIND(SSL_new);
  FIND(SSL_set_fd);
  FIND(SSL_connect);
  FIND(SSL_read);
  FIND(SSL_write);
  FIND(ERR_clear_error);
  FIND(SSL_get_error);
  FIND(SSL_set0_rbio);
  FIND(BIO_s_mem);
  FIND(BIO_new);
  FIND(BIO_write);
  return 1;
}

/* Whether there is a libssl with all of these. */
int load_tls(void) {
  int has_all = 0;
  for (size_t i = 0; !has_all && i < sizeof libraries / sizeof *libraries; i++) {
    void *handle = dlopen(libraries[i], RTLD_NOW);
    has_all = handle != NULL && find_all(handle);
  }
  if (!has_all) return 0;
  context = lib.SSL_CTX_new(lib.TLS_client_method());
  if (context == NULL) return 0;
  lib.SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE, NULL);
  return 1;
}

/* The handshake, with a socket that blocks. The certificate is not looked at. */
void open_tls(connection *c) {
  c->ssl = lib.SSL_new(context);
  if (c->ssl == NULL || lib.SSL_set_fd(c->ssl, c->fd) != 1) fail("no memory for TLS");
  if (lib.SSL_connect(c->ssl) != 1) fail("the TLS handshake failed");
}

/*
 * From now on what is read passes through memory: one call of the system reads many records, and a short read says that no more
 * is there, as without TLS.
 */
void buffer_tls(connection *c) {
  c->tls_input = lib.BIO_new(lib.BIO_s_mem());
  if (c->tls_input == NULL) fail("no memory for TLS");
  lib.SSL_set0_rbio(c->ssl, c->tls_input);
}

static ssize_t result_of(connection *c, int result) {
  if (result > 0) return result;
  int error = lib.SSL_get_error(c->ssl, result);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail("TLS failed");
  errno = EAGAIN;
  return -1;
}

ssize_t read_tls(connection *c, void *into, size_t bytes) {
  for (;;) {
    /* What an earlier call left there would be taken for this one's. */
    lib.ERR_clear_error();
    ssize_t got = result_of(c, lib.SSL_read(c->ssl, into, (int)bytes));
    if (got >= 0 || c->tls_input == NULL) return got;
    if (c->tls_drained) {
      c->tls_drained = 0;
      errno = EAGAIN;
      return -1;
    }
    ssize_t raw = read(c->fd, encrypted, sizeof encrypted);
    if (raw <= 0) return raw;
    if (lib.BIO_write(c->tls_input, encrypted, (int)raw) != raw) fail("no memory for TLS");
    c->tls_drained = (size_t)raw < sizeof encrypted;
  }
}

/* Writes as much as the socket takes. After EAGAIN the caller comes again with the same bytes. */
ssize_t write_tls(connection *c, const void *from, size_t bytes) {
  lib.ERR_clear_error();
  return result_of(c, lib.SSL_write(c->ssl, from, (int)(bytes < 1 << 30 ? bytes : 1 << 30)));
}
