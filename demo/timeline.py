"""The story as it is told: one line a step on the terminal, and the same for programs in report.json."""

import json
import pathlib
import re
import shutil
import sys
import textwrap
import time

STAGES = {
    "0": "Factory",
    "A": "Discovery",
    "B": "Registrar",
    "C": "Voucher",
    "D": "Enrolment",
    "E": "Join",
    "F": "Assurance",
    "-": "",
}


class Timeline:
    def __init__(self, report_path, quiet=False):
        self.report_path = pathlib.Path(report_path)
        self.started = time.time()
        self.steps = []
        self.quiet = quiet
        self.colour = sys.stdout.isatty()
        self.width = min(shutil.get_terminal_size((118, 24)).columns, 132)

    def _paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    @staticmethod
    def _shortened(text):
        """Names of keys are long; people recognise them by their ends. report.json keeps them whole."""
        return re.sub(r"did:key:(\w{6})\w{16,}(\w{4})", r"did:key:\1…\2", text)

    def _say(self, text=""):
        if not self.quiet:
            print(text, flush=True)

    def title(self, text):
        self._say()
        self._say(self._paint("1", text))
        self._say(self._paint("2", "─" * self.width))

    def chapter(self, text):
        self._say()
        self._say(self._paint("1;36", f"  {text}"))

    def note(self, text):
        for line in textwrap.wrap(text, self.width - 4):
            self._say(self._paint("2", f"  {line}"))

    def step(self, stage, what, signer=None, ms=None, evidence=None, outcome="done", at=None):
        """One thing that happened. `ms`: how long it took; `signer`: who signed what it rests on; `evidence`: for programs."""
        now = at if at is not None else time.time()
        letter = stage[:1]
        self.steps.append(
            {
                "stage": stage,
                "name": STAGES.get(letter, ""),
                "at": round(now, 6),
                "seconds": round(now - self.started, 3),
                "what": what,
                "signer": signer,
                "ms": None if ms is None else round(ms, 3),
                "outcome": outcome,
                "evidence": evidence or {},
            }
        )
        mark = {"done": "✓", "refused": "✗", "cut": "■"}.get(outcome, "·")
        colour = {"done": "32", "refused": "33", "cut": "31"}.get(outcome, "0")
        head = f"  {now - self.started:6.2f} s  {self._paint(colour, mark)} {stage:<4} {STAGES.get(letter, ''):<10} "
        indent = 28
        tail = "" if ms is None else f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
        lines = textwrap.wrap(self._shortened(what), self.width - indent - 10) or [""]
        self._say(head + f"{lines[0]:<{self.width - indent - 10}} {self._paint('2', f'{tail:>8}')}")
        for line in lines[1:]:
            self._say(" " * indent + line)
        if signer:
            self._say(" " * indent + self._paint("2", f"signed by {signer}"))

    def refusal(self, stage, attempt, reason, ms=None, evidence=None):
        self.step(stage, f"{attempt}: refused. “{reason}”", ms=ms, evidence=evidence, outcome="refused")

    def write(self, **more):
        self.report_path.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "started": round(self.started, 3),
            "seconds": round(time.time() - self.started, 3),
            **more,
            "steps": self.steps,
        }
        temporary = self.report_path.with_suffix(".tmp")
        temporary.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        temporary.rename(self.report_path)
