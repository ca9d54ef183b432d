/* The one line of JSON. */
#pragma once

#include "bench/src/load_engine.h"

void load_report_merge(struct load_result* to, const struct load_result* from);
void load_report_print(const struct load_options* options, const struct load_result* result);
