#include "common/protocol.h"
#include "common/protocol_line.h"

namespace clusterd::protocol {

std::string encode(const Hello& message) {
  JsonWriter json = begin("hello");
  json.member("version", message.version);
  if (message.heartbeat) json.member("heartbeat", true);
  if (message.tells_heard) json.member("tells_heard", true);
  return end(json);
}

std::string encode(const Listen& message) {
  JsonWriter json = begin("listen");
  json.member("seq", message.seq).member("listener", message.listener);
  return end(json);
}

std::string encode(const Ready&) {
  JsonWriter json = begin("ready");
  return end(json);
}

std::string encode(const Refuse& message) {
  JsonWriter json = begin("refuse");
  json.member("sequence", message.sequence);
  return end(json);
}

std::string encode(const Suicide& message) {
  JsonWriter json = begin("suicide");
  json.member("reason", reason_of(message.reason));
  return end(json);
}

std::string encode(const Report& message) {
  JsonWriter json = begin("report");
  json.member("seq", message.seq).member("metrics", message.metrics);
  return end(json);
}

std::string encode(const Failed& message) {
  JsonWriter json = begin("failed");
  json.member("what", reason_of(message.what));
  return end(json);
}

std::string encode(const Welcome& message) {
  JsonWriter json = begin("welcome");
  json.member("version", message.version)
      .member("fds", message.fds)
      .member("drain_timeout_ms", message.drain_timeout_ms)
      .member("max_connections", message.max_connections);
  if (message.log) json.member("log", true);
  return end(json);
}

std::string encode(const Listening& message) {
  JsonWriter json = begin("listening");
  json.member("ack", message.ack)
      .member("fds", message.fds)
      .member("index", message.index)
      .member("address", message.address)
      .member("error", message.error)
      .member("datagram", message.datagram);
  return end(json);
}

std::string encode(const Revoked&) {
  JsonWriter json = begin("revoked");
  return end(json);
}

std::string encode(const Happened& message) {
  JsonWriter json = begin("event");
  json.member("event", message.event);
  return end(json);
}

std::string encode(const LogWritten& message) {
  JsonWriter json = begin("log-written");
  write_members(json, message);
  return end(json);
}

std::string encode(const WriteLog& message) {
  JsonWriter json = begin("write-log");
  write_members(json, message);
  return end(json);
}

std::string encode(const Ping&) {
  JsonWriter json = begin("ping");
  return end(json);
}

std::string encode(const ServeHttp& message) {
  JsonWriter json = begin("serve-http");
  json.member("fds", message.fds);
  return end(json);
}

std::string encode(const Reported& message) {
  JsonWriter json = begin("reported");
  json.member("ack", message.ack)
      .member("fds", message.fds)
      .member("ready", message.ready)
      .member("reason", message.reason);
  return end(json);
}

}  // namespace clusterd::protocol
