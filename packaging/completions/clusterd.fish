# Completion for fish. What can be completed is what the program's own --help lists, so that the two
# are never of different versions.

# Lines "  NAME   WHAT IT IS" as NAME, a tab, and what it is; "-f,--follow" is two names.
function __clusterd_pairs
    while read -l line
        set -l parts (string match -r -g '^  ([-a-z][^ ]*) +(.*)' -- $line); or continue
        for one in (string split , -- $parts[1])
            printf '%s\t%s\n' $one $parts[2]
        end
    end
end

function __clusterd_program
    eval echo (commandline -opc)[1]
end

# The command among the words before the cursor.
function __clusterd_command
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word
            echo $word
            return 0
        end
    end
    return 1
end

function __clusterd_commands
    eval (__clusterd_program) --help 2>/dev/null | sed '1,/^Commands:/d' | __clusterd_pairs
end

function __clusterd_options
    eval (__clusterd_program) (__clusterd_command) --help 2>/dev/null |
        sed '/^Commands:/,$d' | __clusterd_pairs
end

function __clusterd_after
    test (commandline -opc)[-1] = $argv[1]
end

function __clusterd_files
    set -l files (commandline -ct)*.conf (commandline -ct)*/
    printf '%s\n' $files
end

# What comes next may be a file: it is no value of an option that has its own, and no list or run.
function __clusterd_takes_file
    __clusterd_command >/dev/null
    and not contains -- (commandline -opc)[-1] --set --to schedule
end

complete -c clusterd -f
complete -c clusterd -n 'not __clusterd_command >/dev/null' -a '(__clusterd_commands)'
complete -c clusterd -n 'string match -q -- "-*" (commandline -ct)' -a '(__clusterd_options)'
complete -c clusterd -n '__clusterd_after --set' -a \
    '(eval (__clusterd_program) keys --names 2>/dev/null | string replace -r "\$" =)'
complete -c clusterd -n '__clusterd_after schedule' -a 'list run'
complete -c clusterd -n '__clusterd_after --to' -a 'all app agent random'
complete -c clusterd -n '__clusterd_takes_file; and string match -q logs (__clusterd_command)' \
    -a 'master agent program schedule'
complete -c clusterd -n '__clusterd_after --socket; or __clusterd_after --worker' -F
complete -c clusterd -n '__clusterd_after --worker' -a \
    '(eval (__clusterd_program) keys --recipes 2>/dev/null | string match -r -g "^## ([a-z][-a-z]*)\$")'
complete -c clusterd -n __clusterd_takes_file -a '(__clusterd_files)'
