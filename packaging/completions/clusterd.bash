# Completion for bash. What can be completed is what the program's own --help lists, so that the two
# are never of different versions.

_clusterd_commands() {
  "$1" --help 2> /dev/null | sed -n '/^Commands:/,$ s/^  \([a-z][a-z]*\) .*/\1/p'
}

_clusterd_options() {
  "$1" ${2:+"$2"} --help 2> /dev/null | sed -n 's/^  \(-[^ ]*\) .*/\1/p' | tr ',' '\n'
}

_clusterd_recipes() {
  "$1" keys --recipes 2> /dev/null | sed -n 's/^## \([a-z][-a-z]*\)$/\1/p'
}

# The command among the words before the cursor; an option's value is none.
_clusterd_command() {
  local i
  for (( i = 1; i < COMP_CWORD; ++i )); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) echo "${COMP_WORDS[i]}"; return ;;
    esac
  done
}

_clusterd() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} command
  local before=${COMP_WORDS[COMP_CWORD - 1]}
  program=${program/#\~/$HOME}
  command=$(_clusterd_command)
  COMPREPLY=()
  if [[ $before == --set ]]; then
    compopt -o nospace 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -S = -W "$("$program" keys --names 2> /dev/null)" -- "$current")
  elif [[ $before == --to ]]; then
    mapfile -t COMPREPLY < <(compgen -W "all app agent random" -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_clusterd_options "$program" "$command")" -- "$current")
  elif [[ $command == schedule && $before == schedule ]]; then
    mapfile -t COMPREPLY < <(compgen -W "list run" -- "$current")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_clusterd_commands "$program")" -- "$current")
  else
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(
      [[ $command != logs ]] || compgen -W "master agent program schedule" -- "$current"
      if [[ $before != --socket && $before != --worker ]]; then
        compgen -f -X '!*.conf' -- "$current"
        compgen -d -- "$current"
      else
        [[ $before == --socket ]] || compgen -W "$(_clusterd_recipes "$program")" -- "$current"
        compgen -f -- "$current"
      fi)
  fi
}

complete -F _clusterd clusterd
