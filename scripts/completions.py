#!/usr/bin/env python3
"""Completions of both programs for bash, zsh and fish: scripts/completions.py [--check]

Writes ops/completions/ from what the programs say at --help (they are taken from BIN, or as cargo left them). With --check it writes
nothing: it fails where a file is not what it would write, or where a shell, asked the way it is when somebody presses Tab, does
not offer every command and option. Shells that are not here are named; test.sh has all three.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

from live import ROOT, Failed, binary

WHERE = ROOT / "ops/completions"
PROGRAMS = ("betteruptime-hub", "betteruptime-probe")
# What an option or argument takes, where its name in --help does not tell; all else is typed by hand.
TAKES = {
    "--config": "file", "--ca": "file", "--out": "file", "--secrets": "file", "--secrets-out": "file", "--state-directory": "directory",
    "--signups": "first open closed", "--log-format": "text json", "--method": "GET HEAD POST PUT PATCH DELETE OPTIONS",
    "<FILE>": "file", "<DIRECTORY>": "directory",
}


class Command:
    """A command, its options as (names, value or None, words), arguments and commands below."""

    def __init__(self, about=""):
        self.about, self.options, self.arguments, self.commands = about, [], [], {}

    def walk(self, path=()):
        yield path, self
        for name, below in self.commands.items():
            yield from below.walk((*path, name))

    def names(self):
        return [name for names, _, _ in self.options for name in names]


# --- what the programs say ------------------------------------------------------------------------------------------

def said(name, *words):
    done = subprocess.run([binary(name), *words], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Failed(f"{name} {' '.join(words)}: {done.stderr}")
    return done.stdout


def first(text):
    """The first sentence."""
    text = re.sub(r"\s+", " ", text).strip().replace("`", "")
    return re.split(r"(?<=[a-z)])[.;:] ", text.rstrip("."))[0]


def read_option(line, words):
    names, _, value = re.match(r"((?:--?[\w-]+(?:, )?)+)( (.*))?$", line).groups()
    value = value and value.strip("'<>")
    return names.split(", "), value, first(words) or value


def read_hub(*path):
    """clap writes the same form everywhere."""
    text = said("betteruptime-hub", *path, "-h")
    command = Command(first(text.split("\n\n")[0]))
    part = None
    for line in text.splitlines():
        if re.match(r"\w+:$", line):
            part = line
        elif part == "Commands:" and (found := re.match(r"  ([a-z-]+) ", line)):
            if found[1] != "help":
                command.commands[found[1]] = read_hub(*path, found[1])
        elif part == "Arguments:" and (found := re.match(r"  [<\[](\w+)[>\]] +(.*)", line)):
            values = re.search(r"\[possible values: ([^\]]*)\]", found[2])
            command.arguments.append((f"<{found[1]}>", values[1].replace(",", "") if values else None))
        elif part == "Options:" and (found := re.match(r" {2,6}(-\S.*?)(?: {2,}(.*))?$", line)):
            command.options.append(read_option(found[1], found[2] or ""))
        elif part == "Options:" and line.startswith(" " * 10) and not command.options[-1][2]:
            names, value, _ = command.options[-1]
            command.options[-1] = (names, value, first(re.sub(r" \(see more.*", "", line)))
    return command


ALWAYS = [(["-h", "--help"], None, "Print help"), (["-V", "--version"], None, "Print version")]
ABOUT = {"run": "Be a worker of a region (the default)", "check": "Check a website once and show what came of it",
         "doctor": "Try everything a probe needs, and say what to do", "config": "Settings", "show": "Print the effective values, secrets masked"}


def read_probe():
    """Lines of usage have commands and their options; those of check are listed apart."""
    top = Command()
    words_of = {"--config": "File of NAME=value lines", "--json": "As JSON"}
    for line in re.findall(r"^(?:Usage:)? +betteruptime-probe (.*)$", said("betteruptime-probe", "--help"), re.M):
        line = re.sub(r" +\(.*", "", line)
        options = [([name], value or None, words_of[name]) for name, value in re.findall(r"\[(--[\w-]+) ?([A-Z]*)\]", line)]
        names = re.findall(r"(?:^| )\[?([a-z]+)\]?(?= |$)", re.sub(r"\[(?:--[^]]*|options)\]", "", line))
        at = top
        for name in names:
            at = at.commands.setdefault(name, Command(ABOUT[name]))
        at.options = options
        if line.startswith("["):
            top.options = list(options)
    for line in said("betteruptime-probe", "check", "--help").splitlines():
        if found := re.match(r" {2,6}(-\S.*?)(?: {2,}(.*))?$", line):
            top.commands["check"].options.append(read_option(found[1], found[2] or ""))
    for _, command in top.walk():
        command.options += ALWAYS[:1] if command is top.commands["check"] else ALWAYS
    return top


# --- what shells want -----------------------------------------------------------------------------------------------

def takes(names, value, choices=None):
    """file, directory, words to choose from, "" for anything; None where nothing follows."""
    if value is None:
        return None
    return choices or next((TAKES[name] for name in [*names, value] if name in TAKES), "")


HEAD = "Completion of {} for {}; written by scripts/completions.py from what the program says at --help."


def with_value(top):
    return sorted({name for _, command in top.walk() for names, value, _ in command.options if value is not None for name in names})


def paths(top):
    return [" ".join(path) for path, _ in top.walk() if path]


def bash(name, top):
    function = "_" + name.replace("-", "_")
    choose = {"file": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word")',
              "directory": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word")', "": ":"}

    def choice(kind):
        return choose.get(kind, f'mapfile -t COMPREPLY < <(compgen -W "{kind}" -- "$word")')
    lines = [f"# {HEAD.format(name, 'bash')}", f"{function}() {{", '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} path="" skip="" next words',
             "  # bash takes --name=value apart.",
             '  if [ "$word" = "=" ]; then word=""; elif [ "$before" = "=" ]; then before=${COMP_WORDS[COMP_CWORD - 2]}; fi',
             '  for next in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do', '    if [ -n "$skip" ] && [ "$next" != "=" ]; then skip=""; continue; fi', "    case $next in",
             f"      {' | '.join(with_value(top))}) skip=1 ;;", "      -* | =) ;;", '      *) case "${path:+$path }$next" in',
             f"        {' | '.join(chr(34) + path + chr(34) for path in paths(top))}) path=${{path:+$path }}$next ;;", "      esac ;;", "    esac", "  done",
             "  COMPREPLY=()"]
    by_kind = {}
    for _, command in top.walk():
        for names, value, _ in command.options:
            if value is not None:
                by_kind.setdefault(takes(names, value), set()).update(names)
    lines += ["  case $before in"] + [f"    {' | '.join(sorted(names))}) {choice(kind)}; return ;;" for kind, names in sorted(by_kind.items())] + ["  esac"]
    lines.append("  case $path in")
    for path, command in top.walk():
        lines.append(f'    "{" ".join(path)}") words="{" ".join([*command.commands, *command.names()])}" ;;')
    lines += ["  esac", '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")', '  [[ $word == -* ]] || case $path in']
    for path, command in top.walk():
        kinds = [takes([], value, choices) for value, choices in command.arguments]
        if command.arguments and any(kinds):
            chosen = " ".join(kind for kind in kinds if kind and kind not in choose)
            files = next((kind for kind in kinds if kind in ("file", "directory")), "")
            more = f'mapfile -t -O ${{#COMPREPLY[@]}} COMPREPLY < <(compgen -{"d" if files == "directory" else "f"} -- "$word")' if files else ":"
            words = f'mapfile -t COMPREPLY < <(compgen -W "{chosen}" -- "$word"); ' if chosen else ""
            lines.append(f'    "{" ".join(path)}") {words}compopt -o filenames; {more} ;;')
    return "\n".join([*lines, "    *) ;;", "  esac", "}", f"complete -F {function} {name}", ""])


def zsh(name, top):
    action = {"file": "_files", "directory": "_files -/", "": " "}

    def escape(text):
        return re.sub(r"([\[\]:])", r"\\\1", text).replace("'", "'\\''")

    def spec(names, value, words):
        kind = takes(names, value)
        end = "" if kind is None else f":{escape(value).lower()}:" + action.get(kind, f"({kind})")
        several = "*" if "may be given more than once" in words or any(n in ("-H", "--contains", "--lacks", "--matches", "--json-equals", "--header-equals") for n in names) else ""
        for one in names:
            equals = "=" if kind is not None and one.startswith("--") else "+" if kind is not None else ""
            others = f"({' '.join(names)})" if len(names) > 1 and not several else ""
            yield f"    '{others}{several}{one}{equals}[{escape(words)}]{end}'"
    lines = [f"#compdef {name}", f"# {HEAD.format(name, 'zsh')}"]
    for path, command in top.walk():
        function = "_".join(["_" + name, *path])
        lines += [f"{function}() {{", "  local curcontext=$curcontext state line", "  typeset -A opt_args", "  _arguments -C -s -S : \\"]
        specs = [one for option in command.options for one in spec(*option)]
        if command.commands:
            specs += ["    '1: :->command'", "    '*:: :->rest'"]
        for index, (value, choices) in enumerate(command.arguments, 1):
            kind = takes([], value, choices)
            specs.append(f"    '{index}:{value.strip('<>').lower()}:{action.get(kind, f'({kind})')}'")
        lines.append(" \\\n".join(specs))
        if command.commands:
            lines += ["  case $state in", "    command)", "      local -a commands=("]
            lines += [f"        '{below}:{escape(about.about)}'" for below, about in command.commands.items()]
            lines += ["      )", "      _describe -t commands command commands ;;", "    rest)", "      case $line[1] in"]
            lines += [f"        {below}) {'_'.join(['_' + name, *path, below])} ;;" for below in command.commands]
            lines += ["      esac ;;", "  esac"]
        lines.append("}")
    return "\n".join([*lines, f'_{name} "$@"', ""])


def fish(name, top):
    at = f"__{name.replace('-', '_')}_at"
    lines = [f"# {HEAD.format(name, 'fish')}", f"function {at} --description 'Whether the commands typed so far are these'", "    set -l words (commandline -opc)",
             "    set -e words[1]", "    set -l path", "    set -l skip", "    for word in $words", "        if test -n \"$skip\"", "            set skip", "            continue",
             "        end", "        switch $word", f"            case {' '.join(with_value(top))}", "                set skip 1", "            case '-*'", "            case '*'",
             "                set -l next (string trim -- \"$path $word\")", f"                if contains -- $next {' '.join(repr(path) for path in paths(top))}",
             "                    set path $next", "                end", "        end", "    end", "    test \"$path\" = \"$argv\"", "end", f"complete -c {name} -f"]

    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def value_of(kind):
        return {None: "", "": " -x", "file": " -r -F", "directory": " -x -a '(__fish_complete_directories)'"}.get(kind, f" -x -a '{kind}'")
    for path, command in top.walk():
        when = f"complete -c {name} -n '{' '.join([at, *path])}'"
        lines += [f"{when} -a {below} -d {quoted(about.about)}" for below, about in command.commands.items()]
        for names, value, words in command.options:
            shown = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in names)
            lines.append(f"{when} {shown}{value_of(takes(names, value))} -d {quoted(words)}")
        for value, choices in command.arguments:
            kind = takes([], value, choices)
            if kind:
                lines.append(when + {"file": " -F", "directory": " -a '(__fish_complete_directories)'"}.get(kind, f" -a '{kind}'"))
    return "\n".join([*lines, ""])


SHELLS = {"bash": (bash, "bash/{}"), "zsh": (zsh, "zsh/_{}"), "fish": (fish, "fish/{}.fish")}


# --- Tab ------------------------------------------------------------------------------------------------------------

def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


class Bash:
    def __init__(self, files):
        self.files = files

    def offers(self, name, typed, _):
        words = " ".join(f"'{word}'" for word in f"{name} {typed}".split(" "))
        done = run("bash", "--norc", "-c", f'source "{self.files[name]}"; compopt() {{ :; }}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); '
                   f'_{name.replace("-", "_")}; printf "%s\\n" "${{COMPREPLY[@]}}"')
        return done.stdout + done.stderr


class Fish:
    def __init__(self, files):
        self.files = files

    def offers(self, name, typed, _):
        done = run("fish", "--no-config", "-c", f'source "{self.files[name]}"; complete -C "{name} {typed}"')
        return done.stdout + done.stderr


class Zsh:
    """An interactive zsh on a wide terminal; what it lists is read from the screen."""

    def __init__(self, files):
        self.asked = 0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": "/nonexistent", "LANG": "C.UTF-8"})
        where = next(iter(files.values())).parent
        self.type(f"stty -echo cols 400 rows 500; fpath=({where} $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=10000; PS1=; unsetopt beep; "
                  "bindkey '^X' list-choices; print re''ady\n")
        if "ready" not in self.read(lambda text: "ready" in text):
            raise Failed("zsh does not start")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read(self, enough):
        text, until = "", time.monotonic() + 10
        while time.monotonic() < until and not enough(text):
            if select.select([self.terminal], [], [], 0.2)[0]:
                text += os.read(self.terminal, 65536).decode(errors="replace")
        return text

    def offers(self, name, typed, wanted):
        self.type(f"{name} {typed}\x18")
        shown = self.read(lambda text: not lacking(text, wanted))
        # What it still has to say is none of the next answer's.
        self.asked += 1
        self.type(f"\x15print do''ne{self.asked}.\n")
        self.read(lambda text: f"done{self.asked}." in text)
        return shown


def lacking(text, wanted):
    return [word for word in wanted if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]


def check_tab(tops):
    for shell, (_, place) in SHELLS.items():
        if not shutil.which(shell):
            print(f"{shell} is not here: its completions were NOT RUN")
            continue
        asked = {"bash": Bash, "zsh": Zsh, "fish": Fish}[shell]({name: WHERE / place.format(name) for name in tops})
        count, known = 0, set()
        for name, top in tops.items():
            for path, command in top.walk():
                tabs = [("", list(command.commands)), ("--", [one for one in command.names() if one.startswith("--")])]
                tabs += [(f"{names[-1]} ", takes(names, value).split()) for names, value, _ in command.options
                         if takes(names, value) not in (None, "", "file", "directory") and names[-1] not in known]
                known.update(command.names())
                for typed, wanted in tabs:
                    if not wanted:
                        continue
                    before = "".join(f"{word} " for word in path)
                    shown = asked.offers(name, before + typed, wanted)
                    if lacks := lacking(shown, wanted):
                        raise Failed(f"{shell} does not offer {', '.join(lacks)} after `{name} {before}{typed}`, but:\n{shown}")
                    count += len(wanted)
        print(f"{shell}: {count} commands, options and values are offered")


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    tops = {"betteruptime-hub": read_hub(), "betteruptime-probe": read_probe()}
    for name, top in tops.items():
        if len(list(top.walk())) < 4 or not all(command.options for _, command in top.walk()):
            raise Failed(f"{name} --help is not understood")
        for write, place in SHELLS.values():
            path, text = WHERE / place.format(name), write(name, top)
            if not sys.argv[1:]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                raise Failed(f"{path.relative_to(ROOT)} is not what {name} --help says; scripts/completions.py writes it")
    if sys.argv[1:]:
        check_tab(tops)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        print(f"FAILED: {why}", file=sys.stderr)
        sys.exit(1)
