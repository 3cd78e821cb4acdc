"""The people, makers, registrar, routers and devices of the story, each a real process with its own keys and folder.

A `Place` is where a process runs: this host, or a network namespace of a Lab. The same cast plays the demonstration
(`demo/road.py`), the system tests and, on loopback, the interop tests.
"""

import json
import os
import pathlib
import re
import subprocess
import threading
import time


class Failed(Exception):
    """A command or a wait that did not end as it had to; its text says which and why."""


def wait_until(predicate, timeout, what, interval=0.01):
    """The first true value of `predicate`, asked every `interval` seconds; Failed after `timeout`, naming `what` (text or callable)."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failed(f"waited {timeout} s in vain for {what() if callable(what) else what}")
        time.sleep(interval)


class Place:
    """Where processes run: `prefix` is put before every command (['ip', 'netns', 'exec', 'x'])."""

    def __init__(self, name="host", address="127.0.0.1", prefix=(), env=None):
        self.name, self.address, self.prefix, self.env = name, address, list(prefix), env

    def run(self, argv, check=True, timeout=30, input=None, cwd=None):
        """CompletedProcess with text output; Failed when `check` and the exit code is not 0."""
        done = subprocess.run(
            self.prefix + [str(a) for a in argv],
            capture_output=True, text=True, timeout=timeout, input=input, cwd=cwd, check=False, env=self.env,
        )
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(map(str, argv))}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done


class Role:
    """A running `cahn` role (or another program) with its log as JSON lines."""

    def __init__(self, place, name, argv, log_path):
        self.name, self.place, self.argv = name, place, [str(a) for a in argv]
        self.log_path = pathlib.Path(log_path)
        self.process = None
        self.start()

    def start(self):
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.place.prefix + self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, env=self.place.env,
            )
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def events(self, since_start=True):
        """The log's JSON lines as dictionaries; other lines as {"text": line}."""
        with open(self.log_path, "rb") as log:
            log.seek(self.offset if since_start else 0)
            lines = log.read().decode(errors="replace").splitlines()
        found = []
        for line in lines:
            try:
                event = json.loads(line)
                event["id"] = event.get("id", "").replace("-", "_").replace(".", "_").upper()
                found.append(event)
            except ValueError:
                found.append({"text": line})
        return found

    def find(self, id, **fields):
        """The first event with this id and these fields; None if there is none yet."""
        for event in self.events():
            if event.get("id") == id and all(event.get("fields", {}).get(k) == v for k, v in fields.items()):
                return event
        return None

    def wait_for(self, id, timeout=10, **fields):
        def look():
            event = self.find(id, **fields)
            if event is None and not self.running():
                raise Failed(f"{self.name} ended with {self.process.returncode} before {id}: {self.tail()}")
            return event

        return wait_until(look, timeout, lambda: f"{id} {fields or ''} of {self.name} (its log ends: {self.tail(3)})")

    def ready(self, timeout=15):
        self.wait_for("ROLE_READY", timeout)
        return self

    def tail(self, lines=5):
        try:
            return " | ".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "no log"

    def stop(self, timeout=8):
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self):
        """As a power cut would: no chance to tidy up."""
        if self.running():
            self.process.kill()
            self.process.wait()


class Person:
    def __init__(self, cast, name):
        self.cast, self.name = cast, name
        self.mail = f"mailto:{name}@example.org"
        self.key = cast.folder / "people" / f"{name}.key"
        self.did = cast.make_key(self.key)

    def says(self, expression, name=None, **more):
        """Signs `expression` (in the notation) and returns the credential's path."""
        return self.cast.sign(expression, self.key, f"{self.name}-{name or 'claim'}", **more)


class Maker:
    """A manufacturer: its factory's folder, and its MASA once it is started."""

    def __init__(self, cast, name, title, host, port=9443):
        self.cast, self.name, self.title, self.host, self.port = cast, name, title, host, port
        self.state = cast.folder / "makers" / name
        self.masa = None
        cast.cahn("factory", "--state", self.state, "init", "--name", title, "--masa-url", f"{host}:{port}",
                  *(["--masa-ip-address", host] if re.fullmatch(r"[0-9.]+|.*:.*", host) else []))
        self.did = cast.cahn("vc", "did", self.state / "manufacturer-ca.pem").stdout.strip()

    def start_masa(self, place, **settings):
        files = self.state / "masa"
        argv = [self.cast.program, "masa", "--json", "--state", self.cast.folder / "masa-state" / self.name,
                "--port", self.port, "--signer", files / "signer.pem", "--signer-key", files / "signer.key",
                "--tls-certificate", files / "tls.pem", "--tls-key", files / "tls.key",
                "--idevid-anchor", files / "idevid-anchor.pem", "--factory-anchor", files / "factory-anchor.pem"]
        for key, value in settings.items():
            argv += [f"--{key.replace('_', '-')}", value]
        self.masa = self.cast.role(place, f"masa-{self.name}", argv)
        return self.masa

    def birth(self, device_folder, serial, model="sensor"):
        self.cast.cahn("factory", "--state", self.state, "birth", "--serial", serial, "--model", model,
                       "--device", device_folder)

    def report(self, place, *more):
        place.run([self.cast.program, "factory", "--state", self.state, "report", *more])


class Cast:
    """Everything with a name. `folder` holds all keys, states and logs of the story."""

    def __init__(self, folder, programs):
        self.folder = pathlib.Path(folder)
        self.programs = pathlib.Path(programs).resolve()
        self.program = self.programs / "cahn"
        self.host = Place()
        self.roles = []
        self._serial = 0
        self._lock = threading.Lock()
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)

    def cahn(self, *argv, check=True, place=None, **more):
        return (place or self.host).run([self.program, *argv], check=check, **more)

    def role(self, place, name, argv):
        role = Role(place, name, argv, self.folder / "logs" / f"{name}.log")
        self.roles.append(role)
        return role

    def stop(self):
        for role in reversed(self.roles):
            role.stop()

    def make_key(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return self.cahn("vc", "key", path).stdout.strip()

    def sign(self, expression, key, name, **options):
        with self._lock:
            self._serial += 1
            path = self.folder / "claims" / f"{self._serial:03d}-{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        more = []
        for option, value in options.items():
            more += [f"--{option.replace('_', '-')}", value]
        self.cahn("vc", "new", expression, "--key", key, "-o", path, *more)
        return path


class Domain(Cast):
    """A network of ann@example.org: its people, its registrar and its routers.

    The binding key stands in for the identity service: its KeyBinding credentials say whose key is whose.
    """

    network = "ann-home"

    def __init__(self, folder, programs):
        super().__init__(folder, programs)
        self.binding_key = self.folder / "people" / "identity-service.key"
        self.binding_did = self.make_key(self.binding_key)
        self.ann, self.bob, self.gus = Person(self, "ann"), Person(self, "bob"), Person(self, "gus")
        self.makers = {}
        self.registrar = self.registrar_place = None
        self.registrar_state = self.folder / "registrar"

    def binding(self, person):
        return self.sign(f"KeyBinding({person.mail}, {person.did})", self.binding_key, f"{person.name}-is-who-they-say")

    def maker(self, name, title, host, port=9443):
        self.makers[name] = Maker(self, name, title, host, port)
        return self.makers[name]

    # ----- the registrar

    def prepare_registrar(self, place, dns_name="registrar.local"):
        self.registrar_place, self.dns_name = place, dns_name
        made = self.cahn("registrar", "--state", self.registrar_state, *self._names(), "init")
        names = json.loads(made.stdout)
        self.registrar_did, self.command_did = names["registrar"], names["command_key"]
        self.domain_ca = pathlib.Path(names["domain_ca"])
        self.ownership = self.ann.says(f"Trust({self.ann.mail}, {self.registrar_did})", "owns-the-registrar")
        self.commander = self.ann.says(f"Trust({self.ann.mail}, {self.command_did})", "trusts-its-commands")

    def _names(self):
        return ["--owner", self.ann.mail, "--dns-name", self.dns_name, "--ip-address", self.registrar_place.address]

    def start_registrar(self, makers=None, announce=True, ports=(8443, 8444, 8445, 18443), **settings):
        makers = list(self.makers.values()) if makers is None else makers
        self.ports = ports
        argv = [self.program, "registrar", "--json", "--state", self.registrar_state, *self._names(),
                "--network", self.network, "--binding-key", self.binding_did,
                "--ownership", self.ownership, "--command-ownership", self.commander,
                "--port", ports[0], "--node-port", ports[1], "--command-port", ports[2], "--health-port", ports[3]]
        for maker in makers:
            argv += ["--manufacturer", maker.state / "manufacturer-ca.pem", "--masa-anchor", maker.state / "web-anchor.pem"]
        if not announce:
            argv.append("--no-announce")
        for key, value in settings.items():
            argv += [f"--{key.replace('_', '-')}", value]
        self.registrar = self.role(self.registrar_place, "registrar", argv).ready()
        return self.registrar

    def url(self, port_index=0):
        return f"https://{self.registrar_place.address}:{self.ports[port_index]}"

    def submit(self, claim, check=True, place=None):
        """Posts a credential and waits for what becomes of it: {"id", "state", "reason", …}. Failed when refused and `check`."""
        done = self.cahn("vc", "submit", claim, "--to", self.url(1), "--cacert", self.domain_ca, "--wait", "--json",
                         check=False, place=place or self.registrar_place)
        text = (done.stdout.strip().splitlines() or [""])[-1]
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"state": "refused", "reason": (done.stderr or done.stdout).strip()}
        if check and (done.returncode != 0 or answer.get("state") != "accepted"):
            raise Failed(f"{pathlib.Path(claim).name} was not accepted: {answer.get('reason') or done.stderr}")
        return answer

    def say(self, person, expression, name=None, check=True, **more):
        return self.submit(person.says(expression, name, **more), check=check)

    def devices(self, query=""):
        """What the registrar tells its operator of its devices."""
        done = self.registrar_place.run(
            ["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{self.ports[3]}/devices{'?' + query if query else ''}"])
        return json.loads(done.stdout) if done.stdout.startswith("[") else []
