#include "bench/src/limit_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool complain(const char* what, const char* value) {
  fprintf(stderr, "bench-limit: %s: %s\n", what, value);
  return false;
}

static bool parse_number(const char* text, unsigned long most, unsigned long* number) {
  char* end;
  *number = strtoul(text, &end, 10);
  return (*end == '\0' && end != text && *number <= most) || complain("no such number", text);
}

bool limit_options_parse(struct limit_options* options, int argc, char** argv) {
  static const struct option kOptions[] = {{"workers", required_argument, NULL, 'w'},
                                           {"port", required_argument, NULL, 'p'},
                                           {"policy", required_argument, NULL, 'o'},
                                           {"exclusive", no_argument, NULL, 'x'},
                                           {"batch", no_argument, NULL, 'b'},
                                           {"keepalive", no_argument, NULL, 'k'},
                                           {NULL, 0, NULL, 0}};
  *options = (struct limit_options){.workers = 0};
  int option;
  unsigned long number = 0;
  while ((option = getopt_long(argc, argv, "", kOptions, NULL)) != -1) {
    switch (option) {
      case 'w':
        if (!parse_number(optarg, LIMIT_MOST_WORKERS, &number)) return false;
        options->workers = number;
        break;
      case 'p':
        if (!parse_number(optarg, 65535, &number)) return false;
        options->port = (uint16_t)number;
        break;
      case 'o':
        options->round_robin = strcmp(optarg, "rr") == 0;
        if (!options->round_robin && strcmp(optarg, "accept") != 0) {
          return complain("not accept or rr", optarg);
        }
        break;
      case 'x':
        options->exclusive = true;
        break;
      case 'b':
        options->batch = true;
        break;
      case 'k':
        break; /* always: the client decides whether a connection stays */
      default:
        return false;
    }
  }
  if (optind != argc) return complain("what is this", argv[optind]);
  return options->workers > 0 || complain("missing", "--workers W");
}
