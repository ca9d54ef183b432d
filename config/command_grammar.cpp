#include "config/command_grammar.h"

namespace clusterd::config {

CommandGrammar::CommandGrammar() {
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
  app.get_formatter()->label("REQUIRED", "");
  app.set_help_flag("-h,--help", "Print this and exit");
  app.add_flag("--version", print_version, "Print the version and exit");
  app.allow_extras();
  // After the first command every word is an argument: a file may be called "stop".
  app.require_subcommand(0, 1);

  add_commands();
  add_start_options();
  add_send_options();
  add_words();
  add_options();
}

void CommandGrammar::add_words() {
  init->add_option("FILE", new_file.file, "The file to write; app.conf if none is given")
      ->type_name("");
  init->add_option("--worker", new_file.worker,
                   "The worker's program and its arguments, or a recipe")
      ->type_name("COMMAND");
  // Before FILE. For CLI11 -1 is a number, as long as no option is called so.
  add_number(scale, "N", "So many workers, +N: so many more, -N: so many fewer");
  add_number(recycle, "SLOT", "The worker's slot");
  add_number(kill, "SLOT", "The worker's slot");
  logs->add_option("SLOT", wanted.who,
                   "Of this slot; or master, agent (clusterd's own), program (the agent program), "
                   "schedule (commands of schedules)")
      ->type_name("");
  schedule->add_option("ACTION", schedule_action, "list, or run and a NAME")
      ->type_name("")
      ->required();
  schedule->add_option("NAME", schedule_name, "The schedule to run now")->type_name("");
  for (CLI::App* command : {status, events, logs, reload, restart, scale, schedule, recycle, kill,
                            reopen, send, stop}) {
    add_target(command);
  }
}

void CommandGrammar::add_options() {
  logs->add_flag("-f,--follow", wanted.follow, "Go on with the lines that come");
  logs->add_option("-n,--lines", wanted.lines, "How many of the last lines; 50 if none is given")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000));
  logs->add_flag("--json", wanted.json, "Print a JSON object for each line");
  schedule->add_flag("--json", json, "list: print JSON");
  status->add_flag("--json", json, "Print JSON");
  keys->add_flag("--names", names, "Only what --set takes");
  keys->add_flag("--recipes", recipes, "What docs/recipes.md is made of");
  events->add_flag("-f,--follow", follow, "Go on with what happens from now on");
  reload->add_flag("--dry-run", dry_run, "Only say what would change");
  stop->add_flag("--now", now, "Kill the workers instead of draining them");
  for (CLI::App* command : {reload, restart, scale, schedule, stop}) {
    command->add_flag("--no-wait", no_wait, "Return at once");
  }
}

void CommandGrammar::add_send_options() {
  send->add_option("ACTION", send_words.action, "What receivers tell it from others by")
      ->type_name("")
      ->required();
  send->add_option("JSON", send_words.json, "Its data")->type_name("");
  send->add_option("--to", send_words.to,
                   "all (default), app (the workers), agent (the agent program), random, SLOT or "
                   "pid:NUMBER")
      ->type_name("WHOM");
  send->add_option("--wait", send_words.wait, "Wait so long for the answer, and print it")
      ->type_name("TIME");
}

void CommandGrammar::add_start_options() {
  start->add_flag("-d,--daemon", daemon, "Leave it in the background when all are ready");
  for (CLI::App* with_file : {start, check}) {
    with_file->add_option("FILE", target.file, "The configuration file")->type_name("")->required();
    // One value each, so that the next word can be FILE.
    with_file->add_option("--set")
        ->description("Set a key of the file; may be given often")
        ->type_name("KEY=VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(1)
        ->allow_extra_args(false);
  }
}

void CommandGrammar::add_commands() {
  start = add_command("start", "Start a cluster");
  check = add_command("check", "Say what is wrong in a configuration file");
  init = add_command("init", "Write a configuration file to start from");
  status = add_command("status", "Show the state of a running cluster");
  events = add_command("events", "Show what has happened, one JSON object a line");
  logs = add_command("logs", "Show the last lines of the log");
  reload = add_command("reload", "Read the configuration again, and replace the workers");
  restart = add_command("restart", "Replace all workers, one after another");
  scale = add_command("scale", "Change the number of workers");
  schedule = add_command("schedule", "List what is done again and again, or do it now");
  recycle = add_command("recycle", "Replace one worker, which finishes what it holds");
  kill = add_command("kill", "Kill one worker, which is then replaced");
  reopen = add_command("reopen", "Open the log's file anew, after it was renamed");
  send = add_command("send", "Send a message to programs of a running cluster");
  stop = add_command("stop", "Stop a running cluster, and wait until it is gone");
  version = add_command("version", "Print the version");
  keys = add_command("keys", "Print the keys of a configuration file as Markdown");
  keys->group("");
}

CLI::App* CommandGrammar::add_command(std::string_view name, const std::string& what) {
  CLI::App* command = app.add_subcommand(std::string(name), what);
  command->group("Commands");
  command->allow_extras();
  return command;
}

void CommandGrammar::add_target(CLI::App* command) {
  command->add_option("FILE", target.file, "The configuration file it was started with")
      ->type_name("");
  command->add_option("--socket", target.socket, "Its control socket")->type_name("PATH");
}

void CommandGrammar::add_number(CLI::App* command, const std::string& name,
                                const std::string& what) {
  command->add_option(name, number, what)->type_name("")->required();
}

}  // namespace clusterd::config
