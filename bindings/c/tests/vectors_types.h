/* The rows of the tables that vectors.py writes. */
#ifndef VECTORS_TYPES_H
#define VECTORS_TYPES_H

#include "apikee.h"

typedef struct member {
  apikee_text name;
  char kind; /* 's', 'i', 'b', or 'x' for none of these */
  apikee_text text;
  int64_t number;
} member;

typedef struct optional_time {
  int is_some;
  int64_t seconds;
} optional_time;

typedef struct key_vector {
  const char *name;
  const apikee_text *secrets;
  size_t secret_count;
  apikee_text key;
  int64_t now;
  int msgpack, ok;
  const char *codes[3]; /* any of them; empty is none */
  apikee_text id, tenant, environment;
  const apikee_text *scopes;
  size_t scope_count;
  optional_time expires_at, not_before;
  const member *members;
  size_t member_count;
} key_vector;

#ifdef APIKEE_ENVELOPE
typedef struct envelope_vector {
  const char *name;
  char kind; /* request, response, answer, server-key */
  int ok;
  apikee_text server_public, ephemeral_private, iv, plaintext, envelope;
  apikee_text reflected; /* a request with the server's public key instead of its own */
} envelope_vector;

typedef struct request_vector {
  apikee_validate_request request;
  apikee_text target, body;
} request_vector;
#endif

#endif
