#include "bench/src/load_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool complain(const char* what, const char* value) {
  fprintf(stderr, "bench-load: %s: %s\n", what, value);
  return false;
}

static bool parse_address(struct load_options* options, const char* text) {
  char host[64];
  const char* colon = strrchr(text, ':');
  if (colon == NULL || (size_t)(colon - text) >= sizeof host ||
      options->address_count == LOAD_MOST_ADDRESSES) {
    return complain("not IP:PORT, or too many", text);
  }
  memcpy(host, text, (size_t)(colon - text));
  host[colon - text] = '\0';
  struct sockaddr_in* address = &options->addresses[options->address_count];
  char* end;
  unsigned long port = strtoul(colon + 1, &end, 10);
  if (*end != '\0' || port == 0 || port > 65535 ||
      inet_pton(AF_INET, host, &address->sin_addr) != 1) {
    return complain("not IP:PORT", text);
  }
  address->sin_family = AF_INET;
  address->sin_port = htons((uint16_t)port);
  ++options->address_count;
  return true;
}

static bool parse_mode(struct load_options* options, const char* text) {
  static const char* const kNames[] = {"short", "keepalive", "held"};
  for (size_t at = 0; at < sizeof kNames / sizeof *kNames; ++at) {
    if (strcmp(text, kNames[at]) != 0) continue;
    options->mode = (enum load_mode)at;
    options->mode_name = kNames[at];
    return true;
  }
  return complain("not short, keepalive or held", text);
}

static bool parse_count(const char* text, uint32_t most, uint32_t* count) {
  char* end;
  unsigned long value = strtoul(text, &end, 10);
  if (*end != '\0' || end == text || value == 0 || value > most)
    return complain("no such count", text);
  *count = (uint32_t)value;
  return true;
}

static bool parse_number(const char* text, double least, double* number) {
  char* end;
  double value = strtod(text, &end);
  if (*end != '\0' || end == text || !(value >= least && value <= 1e7)) {
    return complain("no such number", text);
  }
  *number = value;
  return true;
}

static bool parse_one(struct load_options* options, int option, const char* value) {
  switch (option) {
    case 'a':
      return parse_address(options, value);
    case 'm':
      return parse_mode(options, value);
    case 'c':
      return parse_count(value, 100000, &options->connections);
    case 't':
      return parse_count(value, LOAD_MOST_THREADS, &options->threads);
    case 'o':
      return parse_count(value, 65536, &options->sources);
    case 's':
      return parse_number(value, 0.001, &options->seconds);
    case 'w':
      return parse_number(value, 0, &options->warmup);
    case 'r':
      return parse_number(value, 0.1, &options->rate);
    case 'T':
      return parse_number(value, 0.001, &options->timeout);
    case 'p':
      options->path = value;
      return true;
    default:
      return false; /* getopt has said what is wrong */
  }
}

static bool make_request(struct load_options* options) {
  const char* close = options->mode == LOAD_SHORT ? "Connection: close\r\n" : "";
  int length = snprintf(options->request, sizeof options->request,
                        "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", options->path, close);
  if (length < 0 || (size_t)length >= sizeof options->request) {
    return complain("too long", options->path);
  }
  options->request_length = (size_t)length;
  return true;
}

bool load_options_parse(struct load_options* options, int argc, char** argv) {
  static const struct option kOptions[] = {{"address", required_argument, NULL, 'a'},
                                           {"mode", required_argument, NULL, 'm'},
                                           {"connections", required_argument, NULL, 'c'},
                                           {"threads", required_argument, NULL, 't'},
                                           {"sources", required_argument, NULL, 'o'},
                                           {"seconds", required_argument, NULL, 's'},
                                           {"warmup", required_argument, NULL, 'w'},
                                           {"rate", required_argument, NULL, 'r'},
                                           {"timeout", required_argument, NULL, 'T'},
                                           {"path", required_argument, NULL, 'p'},
                                           {NULL, 0, NULL, 0}};
  *options = (struct load_options){.connections = 64,
                                   .threads = 1,
                                   .sources = 16,
                                   .seconds = 3,
                                   .warmup = 0.3,
                                   .timeout = 5,
                                   .path = "/"};
  int option;
  while ((option = getopt_long(argc, argv, "", kOptions, NULL)) != -1) {
    if (!parse_one(options, option, optarg)) return false;
  }
  if (optind != argc) return complain("what is this", argv[optind]);
  if (options->address_count == 0) return complain("missing", "--address IP:PORT");
  if (options->mode_name == NULL) return complain("missing", "--mode short|keepalive|held");
  if (options->threads > options->connections) options->threads = options->connections;
  return make_request(options);
}
