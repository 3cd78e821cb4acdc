#!/usr/bin/env python3
"""Brings the tables of docs/configuration.md up to what the sources of `cahn` say: run it after a key or a flag has changed.

The tables stand between `<!-- keys: NAME -->` and `<!-- end -->`. Key, what it takes, default and what it is come from the code
(role.add, add_option, add_flag, and the readers of makers' files); the last column is written by people and stays. A table
that is missing is appended at the end, one whose command is gone is taken away.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "apps" / "cahn"
DOCUMENT = ROOT / "docs" / "configuration.md"

STRING = r'"(?:\\.|[^"\\])*"'
TEXT = rf"(?:{STRING}\s*)+"
STRUCT = re.compile(r"^struct (\w+) \{$(.*?)^\};$", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r'role\(\w+, "([\w-]+)", "([\w-]+)"\)')
ADD = re.compile(rf'\brole\.add\(\s*"([\w-]+)",\s*(\w+),\s*({TEXT})\)')
MEMBER = re.compile(r"^\s*(std::string|std::uint16_t|std::uint32_t|bool|std::vector<std::string>) ((?:[^;(]|\([^;)]*\))+);",
                    re.MULTILINE)
# add_to() of a struct that is shared, where it is not written inside of it.
ADD_TO = re.compile(r"^void (\w+)::add_to\(RoleSettings& role\) \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
PARTS = re.compile(r"(\w+)\.add_to\(role\)")
TAKES = {"std::string": "text", "std::uint16_t": "0 to 65535", "std::uint32_t": "number", "bool": "true, false",
         "std::vector<std::string>": "list"}
# A subcommand gets a name, or an option or flag is added to it.
MADE = re.compile(rf'\b(\w+)\s*=\s*(?:(\w+)(?:->|\.))?(?:add_subcommand|add_file_command|add)\((?:\*?\w+, )*"([\w-]+)"')
MADE_BY_A_HELPER = re.compile(r"\b(\w+)\s*=\s*\w+(?:->|\.)add_subcommand\(\w+, \w+\)")
OPTION = re.compile(rf'\b(\w+)->add_(option|flag)\(\s*"([^"]+)",\s*[^,"]+,\s*({TEXT})\)([^;]*);')
# What a reader of a file of its own asks for: file.text("key"), word(file, "key", …).
FILE_KEY = re.compile(r'\b(?:file|tenant)\.(text|flag|files|number)\("([\w-]+)"\)|\bword\((?:file), "([\w-]+)"')
FILE_TAKES = {"text": "text", "flag": "true, false", "files": "list of files", "number": "number", "": "word"}


def joined(literals):
    return "".join(s[1:-1].replace('\\"', '"') for s in re.findall(STRING, literals))


def split_outside_quotes(text):
    return [p.strip() for p in re.findall(rf"(?:{STRING}|\{{[^}}]*\}}|\([^)]*\)|[^,])+", text)]


class Key:
    def __init__(self, name, takes, default, help_text):
        self.name, self.takes, self.default, self.help = name, takes, default, help_text


def members_of(body):
    """{name: (type, default as written or "")}"""
    found = {}
    for kind, names in MEMBER.findall(body):
        for one in split_outside_quotes(names):
            name, _, value = one.partition("=")
            found[name.strip()] = (kind, value.strip())
    return found


def shown_default(kind, value):
    if value in ("", '""'):
        return "false" if kind == "bool" else ""
    if kind == "std::vector<std::string>":
        return ", ".join(v[1:-1] for v in re.findall(STRING, value))
    return value.strip('"').replace("'", "")


def structs(texts):
    """{name: body} of all files; what add_to() adds stands behind the members."""
    found = {name: body for text in texts for name, body in STRUCT.findall(text)}
    for text in texts:
        for name, body in ADD_TO.findall(text):
            found[name] += body
    return found


def keys_of(body, all_structs):
    members = members_of(body)
    keys = []
    for name, target, help_text in ADD.findall(body):
        kind, value = members[target]
        keys.append(Key(name, TAKES[kind], shown_default(kind, value), joined(help_text)))
    for part in PARTS.findall(body):
        owner = re.search(rf"^\s*(\w+) {part};", body, re.MULTILINE)[1]
        keys += keys_of(all_structs[owner], all_structs)
    return keys


def roles():
    """{table name: [Key]} of what RoleSettings reads; "every role" is what RoleSettings itself adds."""
    texts = {path: path.read_text() for path in sorted(SOURCES.glob("*"))}
    all_structs = structs(texts.values())
    found = {}
    common = texts[SOURCES / "role_settings.cpp"]
    keys = [Key(flag.removeprefix("--"), "flag" if kind == "flag" else "text", "", joined(text)) for _, kind, flag, text, _ in
            OPTION.findall(common.replace("command_.", "command_->"))]
    targets = {target: value for target, (_, value) in members_of(texts[SOURCES / "role_settings.h"]).items()}
    for name, target, text in re.findall(rf'^  add\("([\w-]+)", (\w+), ({TEXT})\)', common, re.MULTILINE):
        flag = targets[target] in ("true", "false")
        keys.append(Key(name, "true, false" if flag else "text", targets[target].strip('"'), joined(text)))
    found["every role"] = keys
    for body in all_structs.values():
        role = ROLE.search(body)
        if role:
            found[f"cahn {role[1]}"] = keys_of(body, all_structs)
    return found


def number_of_keys():
    """How many role.add() were understood, each once however many roles share it."""
    return sum(len(ADD.findall(body)) for body in structs([path.read_text() for path in sorted(SOURCES.glob("*"))]).values())


def commands():
    """{"cahn factory birth": [Key]} of what is added to CLI11 directly, positional arguments included."""
    found = {}
    for path in sorted(SOURCES.glob("*.cpp")):
        if path.name == "role_settings.cpp":
            continue
        text = path.read_text()
        path_of = {"program": "cahn", "vc": "cahn vc"}
        first = "cahn vc" if path.name.startswith("vc_") else None
        kinds = {"made": MADE, "helper": MADE_BY_A_HELPER, "option": OPTION}
        events = sorted((match.start(), what, match) for what, pattern in kinds.items() for match in pattern.finditer(text))
        for _, what, match in events:
            if what == "made":
                parent = path_of.get(match[2]) or first or "cahn"
                path_of[match[1]] = f"{parent} {match[3]}"
                first = first or path_of[match[1]]
            elif what == "helper":  # makes a command with a file: which ones is said where it is called
                path_of.pop(match[1], None)
            else:
                variable, kind, names, help_text, chained = match.groups()
                command = path_of.get(variable, "cahn vc sign, verify, show")
                default = "required" if "->required()" in chained else ""
                found.setdefault(command, []).append(Key(names, "flag" if kind == "flag" else "text", default, joined(help_text)))
    return found


def maker_files():
    """Keys of TOML files that a key names: no help in the code, so the document has the words."""
    found = {}
    for path in sorted(SOURCES.glob("*.cpp")):
        keys = []
        for kind, name, word in FILE_KEY.findall(path.read_text()):
            if (name or word) not in [k.name for k in keys]:
                keys.append(Key(name or word, FILE_TAKES[kind], "", None))
        if keys:
            found[f"file {path.stem}"] = keys
    return found


def tables():
    return {**roles(), **commands(), **maker_files()}


# ----- the document

MARKED = re.compile(r"<!-- keys: (.+?) -->\n(.*?)<!-- end -->\n", re.DOTALL)
HEADS = ("| key | takes | default | what it is | more |\n|---|---|---|---|---|\n", "| key | takes | what it is |\n|---|---|---|\n")


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def words_by_hand(table):
    """{key: last column} of a table as it stands."""
    rows = [cells_of(line) for line in table.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells[-1] for cells in rows}


def escaped(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def rendered(keys, words):
    by_hand = keys[0].help is None
    lines = []
    for key in keys:
        more = words.get(key.name, "")
        default = key.default if key.default in ("", "required") else f"`{key.default}`"
        middle = "" if by_hand else f" {default} | {escaped(key.help)} |"
        lines.append(f"| `{key.name}` | {key.takes} |{middle} {more} |")
    return HEADS[by_hand] + "\n".join(lines) + "\n"


def brought_up_to_date(text, current):
    seen = set()

    def replace(match):
        name, table = match[1], match[2]
        seen.add(name)
        if name not in current:
            return ""
        return f"<!-- keys: {name} -->\n{rendered(current[name], words_by_hand(table))}<!-- end -->\n"

    text = MARKED.sub(replace, text)
    for name, keys in current.items():
        if name not in seen:
            text += f"\n## {name}\n\n<!-- keys: {name} -->\n{rendered(keys, {})}<!-- end -->\n"
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(brought_up_to_date(DOCUMENT.read_text() if DOCUMENT.exists() else "# Configuration\n", tables()))
    sys.exit(0)
