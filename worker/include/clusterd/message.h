/*
 * Messages between the programs of a cluster, in C: what worker.h has in common with the headers of
 * other libraries of clusterd. Include those.
 */
#ifndef CLUSTERD_MESSAGE_H
#define CLUSTERD_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whom a message is for; those marked N take a number. Functions take it as an int: which type a
 * compiler gives an enum is not part of this interface. */
enum clusterd_to {
  CLUSTERD_TO_ALL = 0,    /* every worker and the agent program, the sender too */
  CLUSTERD_TO_APP = 1,    /* every worker, the sender too */
  CLUSTERD_TO_AGENT = 2,  /* the agent program */
  CLUSTERD_TO_RANDOM = 3, /* one worker that is ready: another one each time, in turn */
  CLUSTERD_TO_PID = 4,    /* N: the process with this number */
  CLUSTERD_TO_SLOT = 5    /* N: the worker in this slot */
};

/* A message from a program of the cluster, maybe this one. Valid while its callback runs. */
typedef struct clusterd_message {
  const char* action; /* with a NUL at its end */
  const char* data;   /* JSON as the sender wrote it ("null" if it sent none), with a NUL */
  size_t data_length;
  int64_t sender_pid; /* as the sender says; 0 if it does not */
  int64_t request;    /* not 0: its sender waits for an answer, which takes this number and
                         sender_pid (API 3) */
} clusterd_message;

/* How a request ended. (API 3) */
enum clusterd_outcome {
  CLUSTERD_ANSWERED = 0,
  CLUSTERD_TIMED_OUT = 1,   /* there was no answer in time; one that comes later is dropped */
  CLUSTERD_UNDELIVERED = 2, /* nobody got it */
  CLUSTERD_GONE = 3         /* who had been sent it has ended */
};

/* Valid while its callback runs. (API 3) */
typedef struct clusterd_answer {
  int outcome;      /* an enum clusterd_outcome */
  const char* data; /* JSON, with a NUL; "null" if there is no answer */
  size_t data_length;
  int64_t sender_pid; /* as the sender says; 0 if there is no answer */
} clusterd_answer;

typedef void (*clusterd_message_fn)(void* user, const clusterd_message* message);
/* Called once for each request. */
typedef void (*clusterd_answer_fn)(void* user, const clusterd_answer* answer);
/* `event`: "cluster-ready" (every child is ready), "log-reload" (files of logs were renamed: open
 * yours anew); to workers also "agent-exit" (the agent program has ended) and "agent-start" (the
 * next one is ready). Others may come one day. */
typedef void (*clusterd_event_fn)(void* user, const char* event);
/* So many receivers were missed; an empty action stands for several, or is not known any more. */
typedef void (*clusterd_undelivered_fn)(void* user, const char* action, int64_t count);
/* `high` 1: a quarter of what may wait for this receiver of ours does; 0: no more than an eighth.
 */
typedef void (*clusterd_pressure_fn)(void* user, int64_t pid, int high);

#ifdef __cplusplus
}
#endif

#endif
