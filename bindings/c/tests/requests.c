/* Makes the same validate calls as the published SDK, from the same inputs. */
#include "check.h"
#include "vectors_types.h"

#include "vectors_requests.h"

static char buf[4096];

static void check_exchange(const request_vector *v) {
  apikee_text written = {buf, 0};
  CHECK(apikee_write_validate_target(&v->request, buf, sizeof buf, &written.len) == APIKEE_ERROR_OK);
  CHECK(same_text(written, v->target));
  CHECK(apikee_write_validate_body(&v->request, buf, sizeof buf, &written.len) == APIKEE_ERROR_OK);
  CHECK(same_text(written, v->body));
}

static apikee_error target_of(const apikee_validate_request *request) {
  size_t len = 99;
  apikee_error error = apikee_write_validate_target(request, buf, sizeof buf, &len);
  if (error != APIKEE_ERROR_OK) CHECK(len == 0);
  return error;
}

void test_requests(void) {
  CHECK(LENGTH(request_vectors) == 4);
  for (size_t at = 0; at < LENGTH(request_vectors); at++) check_exchange(&request_vectors[at]);

  apikee_validate_request request = request_vectors[1].request;
  apikee_text written = {buf, 0};
  request.keep_query = false;
  CHECK(apikee_write_validate_target(&request, buf, sizeof buf, &written.len) == APIKEE_ERROR_OK);
  CHECK(is_text(written, "/client/497f6eca-6276-4993-bfeb-53cbbbba6f08?project_env=my-app-production"
                         "&method_path=POST%3A%3A%3A%2Forders%2F42"));

  request.key_name.ptr = NULL;
  request.key_name.len = 0;
  request.payload = request.key_name;
  CHECK(apikee_write_validate_body(&request, buf, sizeof buf, &written.len) == APIKEE_ERROR_OK);
  CHECK(is_text(written, "{\"name\":\"default\",\"timestamp\":\"2026-11-24T02:21:45.021Z\",\"headers\":{}}"));

  apikee_validate_request wrong = request;
  wrong.client_id.len--;
  CHECK(target_of(&wrong) == APIKEE_ERROR_INVALID_CLIENT_ID);
  wrong = request;
  wrong.method.len = 0;
  CHECK(target_of(&wrong) == APIKEE_ERROR_INVALID_METHOD);
  wrong = request;
  wrong.now_millis = INT64_MAX;
  CHECK(target_of(&wrong) == APIKEE_ERROR_TIME_OUT_OF_RANGE);
  wrong = request;
  wrong.payload.ptr = "{]";
  wrong.payload.len = 2;
  CHECK(target_of(&wrong) == APIKEE_ERROR_INVALID_JSON);
  wrong = request;
  wrong.path.ptr = "/\377";
  wrong.path.len = 2;
  CHECK(target_of(&wrong) == APIKEE_ERROR_INVALID_UTF8);

  static apikee_header headers[APIKEE_MAX_HEADERS + 1];
  wrong = request;
  wrong.headers = headers;
  wrong.header_count = APIKEE_MAX_HEADERS + 1;
  CHECK(target_of(&wrong) == APIKEE_ERROR_TOO_MANY);
  wrong.header_count--;
  CHECK(target_of(&wrong) == APIKEE_ERROR_OK);
}
