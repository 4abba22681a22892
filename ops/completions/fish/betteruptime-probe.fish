# Completion of betteruptime-probe for fish; written by scripts/completions.py from what the program says at --help.
function __betteruptime_probe_at --description 'Whether the commands typed so far are these'
    set -l words (commandline -opc)
    set -e words[1]
    set -l path
    set -l skip
    for word in $words
        if test -n "$skip"
            set skip
            continue
        end
        switch $word
            case --body --ca --certificate-days --config --contains --header --header-equals --json-equals --lacks --matches --method --redirects --slow-ms --status --timeout-ms --user-agent -H -X
                set skip 1
            case '-*'
            case '*'
                set -l next (string trim -- "$path $word")
                if contains -- $next 'run' 'check' 'doctor' 'config' 'config show'
                    set path $next
                end
        end
    end
    test "$path" = "$argv"
end
complete -c betteruptime-probe -f
complete -c betteruptime-probe -n '__betteruptime_probe_at' -a run -d 'Be a worker of a region (the default)'
complete -c betteruptime-probe -n '__betteruptime_probe_at' -a check -d 'Check a website once and show what came of it'
complete -c betteruptime-probe -n '__betteruptime_probe_at' -a doctor -d 'Try everything a probe needs, and say what to do'
complete -c betteruptime-probe -n '__betteruptime_probe_at' -a config -d 'Settings'
complete -c betteruptime-probe -n '__betteruptime_probe_at' -l config -r -F -d 'File of NAME=value lines'
complete -c betteruptime-probe -n '__betteruptime_probe_at' -s h -l help -d 'Print help'
complete -c betteruptime-probe -n '__betteruptime_probe_at' -s V -l version -d 'Print version'
complete -c betteruptime-probe -n '__betteruptime_probe_at run' -l config -r -F -d 'File of NAME=value lines'
complete -c betteruptime-probe -n '__betteruptime_probe_at run' -s h -l help -d 'Print help'
complete -c betteruptime-probe -n '__betteruptime_probe_at run' -s V -l version -d 'Print version'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -s X -l method -x -a 'GET HEAD POST PUT PATCH DELETE OPTIONS' -d 'GET (default), HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -s H -l header -x -d 'a header field'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l body -x -d 'a body, for POST, PUT, PATCH, DELETE'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l user-agent -x -d 'instead of the product\'s name'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l redirects -x -d 'redirects followed at most (default 5)'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l timeout-ms -x -d 'budget of the whole check (default 10000)'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -s 4 -s 6 -d 'IPv4 or IPv6 only'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l insecure -d 'take any certificate'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l ca -r -F -d 'trust these authorities too (PEM)'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l public-only -d 'refuse private addresses, as a probe does by default'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l status -x -d 'such as 200-299,301 (default 200-299)'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l contains -x -d 'in the body'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l lacks -x -d 'not in the body'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l matches -x -d 'a regular expression'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l json-equals -x -d 'a JSON pointer and the value there'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l header-equals -x -d 'Name: value'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l slow-ms -x -d 'slower is degraded'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l certificate-days -x -d 'fewer days left is degraded'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l require-https -d 'the answer must come over https'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -l json -d 'the tick, for programs'
complete -c betteruptime-probe -n '__betteruptime_probe_at check' -s h -l help -d 'Print help'
complete -c betteruptime-probe -n '__betteruptime_probe_at doctor' -l config -r -F -d 'File of NAME=value lines'
complete -c betteruptime-probe -n '__betteruptime_probe_at doctor' -l json -d 'As JSON'
complete -c betteruptime-probe -n '__betteruptime_probe_at doctor' -s h -l help -d 'Print help'
complete -c betteruptime-probe -n '__betteruptime_probe_at doctor' -s V -l version -d 'Print version'
complete -c betteruptime-probe -n '__betteruptime_probe_at config' -a show -d 'Print the effective values, secrets masked'
complete -c betteruptime-probe -n '__betteruptime_probe_at config' -s h -l help -d 'Print help'
complete -c betteruptime-probe -n '__betteruptime_probe_at config' -s V -l version -d 'Print version'
complete -c betteruptime-probe -n '__betteruptime_probe_at config show' -s h -l help -d 'Print help'
complete -c betteruptime-probe -n '__betteruptime_probe_at config show' -s V -l version -d 'Print version'
