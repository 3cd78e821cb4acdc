"""A small enterprise in network namespaces, with real daemons, that leaves nothing behind.

             10.78.0.0/24 ("internet")                   10.77.0.0/24 (one bridge, br0, in `router`)
    masa1 .11 ─┐                                  ┌─ port1 ── device1   ┐ addresses by DHCP; the router agent's gate
    masa2 .12 ─┼─ br0 of `internet` ── registrar ─┤  port2 ── device2   ┘ is on the ingress of port1, port2, …
              .2 (wan)              .2 (eth0) │   │
                                              └── br0 .1 ── target .3

What joins before it may reaches the registrar and nothing else; the target stands for the network behind the gate.
Link-layer multicast (mDNS) crosses the bridge, EAPOL does not: the bridge forwards no frame to 01:80:c2:00:00:03.

Needs root. Everything waits at most a bounded time. Python's standard library only.
"""

import atexit
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PREFIX = "cahn"
ROUTER_ADDRESS = "10.77.0.1"
REGISTRAR_ADDRESS = "10.77.0.2"
TARGET_ADDRESS = "10.77.0.3"
REGISTRAR_WAN_ADDRESS = "10.78.0.2"


class LabError(Exception):
    """The laboratory itself, not what is tested in it, does not work."""


def wait_until(predicate, timeout, message, pause=0.02):
    """Returns the first true value of `predicate()`; raises AssertionError with `message` (text or callable) otherwise."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(message() if callable(message) else message)
        time.sleep(pause)


class Process:
    """A program in a namespace, in a process group of its own; its output goes to a file."""

    def __init__(self, popen, log):
        self.popen = popen
        self.log = log
        self.pid = popen.pid

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        return Path(self.log).read_text(errors="replace")

    def send(self, line):
        """Writes a line to stdin (REQUIRES stdin=True at start)."""
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def wait_for_output(self, pattern, timeout):
        """The first match of the regular expression in the output so far; fails early when the program has ended."""
        def look():
            found = re.search(pattern, self.output(), re.MULTILINE)
            if not found and not self.alive():
                found = re.search(pattern, self.output(), re.MULTILINE)
                if not found:
                    raise AssertionError(f"ended with {self.popen.returncode} before printing {pattern!r}:\n{self.output()[-3000:]}")
            return found
        return wait_until(look, timeout, lambda: f"did not print {pattern!r} in {timeout} s:\n{self.output()[-3000:]}")

    def kill(self, with_signal=signal.SIGKILL):
        """Signals this one process, as an outside event would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, with_signal)

    def stop(self, timeout=6):
        """SIGTERM to the group, SIGKILL after `timeout`; the exit status."""
        for sig, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5)):
            if not self.alive():
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(patience)
        if self.popen.stdin:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()
        return self.popen.wait(5)


class Pings:
    """A ping every few milliseconds; knows when each answer came."""

    LINE = re.compile(r"\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+)")

    def __init__(self, popen):
        self.popen = popen
        self.lock = threading.Lock()
        self.times = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.popen.stdout:
            found = self.LINE.search(line)
            if found:
                with self.lock:
                    self.times.append(float(found.group(1)))

    def replies(self):
        """Wall-clock times (seconds) of all answers so far."""
        with self.lock:
            return list(self.times)

    def last(self):
        with self.lock:
            return self.times[-1] if self.times else None

    def wait_for_reply(self, since, timeout):
        """The time of the first answer after wall-clock time `since`."""
        def first():
            return next((t for t in self.replies() if t > since), None)
        return wait_until(first, timeout, f"no answer to any ping in {timeout} s", pause=0.002)

    def wait_for_silence(self, quiet, timeout):
        """The time of the last answer, once none has come for `quiet` seconds."""
        def silent():
            last = self.last()
            return last is not None and time.time() - last > quiet and last
        return wait_until(silent, timeout, f"pings are still answered after {timeout} s", pause=0.002)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(5)
        self.thread.join(5)
        self.popen.stdout.close()


class Capture:
    """tcpdump with a filter; counts what it saw."""

    def __init__(self, process, path):
        self.process = process
        self.path = path

    def lines(self):
        """One line of text for each packet so far."""
        return [line for line in Path(self.path).read_text(errors="replace").splitlines() if line]

    def count(self):
        return len(self.lines())

    def stop(self):
        """Stops after what is under way has been written; the number of packets."""
        time.sleep(0.2)
        self.process.stop()
        return self.count()


class Lab:
    """The namespaces, and everything that was started in them. Use as a context manager."""

    def __init__(self, devices=1, makers=1, keep_files=False):
        if os.geteuid() != 0:
            print("the laboratory needs root: it makes network namespaces (try: sudo)", file=sys.stderr)
            raise SystemExit(2)
        self.devices = [f"device{i + 1}" for i in range(devices)]
        self.makers = [f"masa{i + 1}" for i in range(makers)]
        self.ports = [f"port{i + 1}" for i in range(devices)]
        self.keep_files = keep_files
        self.prefix = f"{PREFIX}{os.getpid()}-{id(self) & 0xffff:04x}-"
        self.directory = None
        self.processes = []
        self.pings = []
        self.buses = {}
        self.owner = os.getpid()
        self.closed = False
        self.old_handlers = {}

    # --- life ---

    def __enter__(self):
        remove_leftovers()
        atexit.register(self.close)
        if threading.current_thread() is threading.main_thread():
            for sig in (signal.SIGTERM, signal.SIGHUP):
                self.old_handlers[sig] = signal.signal(sig, lambda number, _: sys.exit(128 + number))
        self.directory = Path(tempfile.mkdtemp(prefix="cahn-", dir="/tmp"))
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends every process it started, deletes its namespaces and files. Safe to call again."""
        if self.closed or os.getpid() != self.owner:
            return
        self.closed = True
        atexit.unregister(self.close)
        for pings in self.pings:
            with contextlib.suppress(Exception):
                pings.stop()
        for process in reversed(self.processes):  # together, then wait for each
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                process.stop()
        remove_namespaces(self.prefix)
        for sig, handler in self.old_handlers.items():
            signal.signal(sig, handler)
        if self.directory and not self.keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- building ---

    def ns(self, name):
        """The kernel's name of the namespace `name`."""
        return self.prefix + name

    def _build(self):
        names = ["router", "registrar", "target", "internet"] + self.devices + self.makers
        for name in names:
            ip("netns", "add", self.ns(name))
        for name in names:
            # No duplicate address detection: a link-local address is good at once, not after two seconds.
            self.run(name, ["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"])
        # group_fwd_mask 0: EAPOL ends at the port, as in any switch.
        self._batch("router", "link add br0 type bridge group_fwd_mask 0", "link set lo up", "link set br0 up",
                    f"addr add {ROUTER_ADDRESS}/24 dev br0")
        self._batch("internet", "link add br0 type bridge", "link set lo up", "link set br0 up")
        self._plug("router", "to-registrar", "registrar", "eth0", f"{REGISTRAR_ADDRESS}/24")
        self._plug("router", "to-target", "target", "eth0", f"{TARGET_ADDRESS}/24")
        self._plug("internet", "to-registrar", "registrar", "wan", f"{REGISTRAR_WAN_ADDRESS}/24")
        for i, maker in enumerate(self.makers):
            self._plug("internet", f"to-{maker}", maker, "eth0", f"{self.maker_address(i)}/24")
        for port, device in zip(self.ports, self.devices):
            self._plug("router", port, device, "eth0", None)

    def _batch(self, name, *lines):
        subprocess.run(["ip", "-n", self.ns(name), "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True,
                       timeout=10)

    def _plug(self, switch, port, host, interface, address):
        ip("link", "add", port, "netns", self.ns(switch), "type", "veth", "peer", "name", interface, "netns", self.ns(host))
        self._batch(switch, f"link set {port} master br0 up")
        lines = ["link set lo up", f"link set {interface} up"]
        if address:
            lines.append(f"addr add {address} dev {interface}")
        self._batch(host, *lines)

    @staticmethod
    def maker_address(index):
        """Address of the server of maker number `index`, from 0."""
        return f"10.78.0.{11 + index}"

    # --- programs ---

    def run(self, name, arguments, timeout=10, check=True, **more):
        """Runs a program in a namespace to its end; the CompletedProcess with text output."""
        return subprocess.run(["ip", "netns", "exec", self.ns(name), *map(str, arguments)], timeout=timeout, check=check,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)

    def environment(self, name, extra=None):
        """What programs in the namespace see: its own D-Bus, if start_avahi() was called for it."""
        environment = dict(os.environ)
        environment["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={self.directory}/{name}.bus"
        environment.update(extra or {})
        return environment

    def start_process(self, name, arguments, log=None, env=None, stdin=False, cwd=None):
        """Starts a program in a namespace; it ends with the laboratory at the latest."""
        path = Path(log) if log else self.directory / f"{name}-{Path(str(arguments[0])).name}-{len(self.processes)}.log"
        with open(path, "ab") as output:
            popen = subprocess.Popen(["ip", "netns", "exec", self.ns(name), *map(str, arguments)], stdout=output,
                                     stderr=subprocess.STDOUT, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                     env=self.environment(name, env), cwd=cwd, start_new_session=True, text=True)
        process = Process(popen, path)
        self.processes.append(process)
        return process

    def start_avahi(self, name, interface=None, host_name=None, wait=True):
        """A D-Bus and an avahi-daemon of the namespace's own; the two Processes. Takes a second, unless not waited for."""
        interface = interface or ("br0" if name == "router" else "eth0")
        bus = self.directory / f"{name}.bus"
        (self.directory / f"{name}.dbus.conf").write_text(f"""<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path={bus}</listen><auth>EXTERNAL</auth>
  <policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy>
</busconfig>
""")
        (self.directory / f"{name}.avahi.conf").write_text(f"""[server]
host-name={host_name or name}
domain-name=local
use-ipv4=yes
use-ipv6=yes
allow-interfaces={interface}
enable-dbus=yes
[publish]
publish-workstation=no
publish-hinfo=no
""")
        dbus = self.start_process(name, ["dbus-daemon", f"--config-file={self.directory}/{name}.dbus.conf", "--nofork",
                                         "--nopidfile", "--nosyslog"])
        wait_until(bus.exists, 10, lambda: f"dbus-daemon does not start: {dbus.output()}")
        # Its socket and pid file are at fixed places: /run is a tmpfs of its own, private to this mount namespace.
        avahi = self.start_process(name, ["sh", "-c", "mount -t tmpfs tmpfs /run && mkdir -p /run/avahi-daemon && exec "
                                          f"avahi-daemon --no-drop-root --no-chroot --no-rlimits -f {self.directory}/{name}.avahi.conf"])
        if wait:
            avahi.wait_for_output("Server startup complete", 10)
        return dbus, avahi

    def start_dnsmasq(self):
        """DHCP for the devices, from the router."""
        leases = self.directory / "dnsmasq.leases"
        process = self.start_process("router", ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=br0",
                                                "--bind-interfaces", "--except-interface=lo",
                                                "--dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h", "--dhcp-authoritative",
                                                "--dhcp-no-override", "--no-ping", "--user=root", f"--dhcp-leasefile={leases}"])
        process.wait_for_output("DHCP, IP range", 10)
        return process

    def dhcp(self, device, timeout=15):
        """Gets an address for the device's eth0 and keeps it; the address."""
        script = self.directory / "dhclient-script"
        if not script.exists():
            # Debian's own would write /etc/resolv.conf, which namespaces share.
            script.write_text("#!/bin/sh\ncase $reason in BOUND|RENEW|REBIND|REBOOT)\n"
                              "  ip addr replace $new_ip_address/$new_subnet_mask dev $interface ;;\nesac\nexit 0\n")
            script.chmod(0o755)
        base = self.directory / f"{device}.dhclient"
        process = self.start_process(device, ["dhclient", "-4", "-d", "-v", "-sf", script, "-lf", f"{base}.leases", "-pf",
                                              f"{base}.pid", "-cf", "/dev/null", "eth0"])
        return process.wait_for_output(r"bound to (\d+\.\d+\.\d+\.\d+)", timeout).group(1)

    # --- looking ---

    def link_address(self, name, interface="eth0"):
        return self.run(name, ["cat", f"/sys/class/net/{interface}/address"]).stdout.strip()

    def ping(self, name, address=TARGET_ADDRESS, timeout=1):
        """Whether one ping is answered."""
        return self.run(name, ["ping", "-n", "-q", "-c", "1", "-W", timeout, address], timeout=timeout + 5,
                        check=False).returncode == 0

    def continuous_ping(self, name, address=TARGET_ADDRESS, interval=0.005):
        popen = subprocess.Popen(["ip", "netns", "exec", self.ns(name), "ping", "-n", "-D", "-i", str(interval), address],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
                                 start_new_session=True)
        pings = Pings(popen)
        self.pings.append(pings)
        return pings

    def capture(self, name, expression, interface="any"):
        """Captures from the return on what the pcap filter `expression` matches."""
        path = self.directory / f"capture-{len(self.processes)}.txt"
        words = f"exec tcpdump -n -l --immediate-mode -i {interface} '{expression}' 2>{path}.log >{path}"
        process = self.start_process(name, ["sh", "-c", words])
        wait_until(lambda: "listening on" in Path(f"{path}.log").read_text() if Path(f"{path}.log").exists() else False, 10,
                   lambda: f"tcpdump does not start: {Path(f'{path}.log').read_text()}")
        return Capture(process, path)

    def listens(self, name, port):
        """Whether something in the namespace listens on the TCP port."""
        return bool(self.run(name, ["ss", "-Hltn", f"sport = :{int(port)}"]).stdout.strip())

    def wait_for_port(self, name, port, process=None, timeout=20):
        """Waits for a listener; says what `process` printed when it ends instead."""
        def look():
            if process and not process.alive():
                raise AssertionError(f"ended with {process.popen.returncode} before listening on {port}:\n{process.output()[-3000:]}")
            return self.listens(name, port)
        wait_until(look, timeout, lambda: f"nobody listens on port {port} of {name}"
                   + (f":\n{process.output()[-3000:]}" if process else ""), pause=0.05)

    def connects(self, name, address, port, timeout=2):
        """Whether a TCP connection from the namespace is accepted."""
        return self.run(name, ["timeout", timeout, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"], timeout=timeout + 5,
                        check=False).returncode == 0

    def processes_in(self, name):
        """Names of all programs that run in the namespace."""
        return [command_of(pid) for pid in pids_of(self.ns(name))]

    def pids_of(self, name, command):
        """Ids of the processes in the namespace whose program is called `command`."""
        return [pid for pid in pids_of(self.ns(name)) if command_of(pid) == command]


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(arguments)}: {done.stdout.strip()}")


def pids_of(namespace):
    done = subprocess.run(["ip", "netns", "pids", namespace], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=10)
    return [int(pid) for pid in done.stdout.split()]


def command_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "?"


def namespaces():
    folder = Path("/run/netns")
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def remove_namespaces(prefix):
    """Kills what still runs in the namespaces with this prefix, and deletes them."""
    mine = [name for name in namespaces() if name.startswith(prefix)]
    for name in mine:
        for pid in pids_of(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for name in mine:
        with contextlib.suppress(LabError):
            ip("netns", "del", name)


def remove_leftovers():
    """Deletes the namespaces of laboratories whose process was killed before it could."""
    for name in namespaces():
        found = re.match(rf"{PREFIX}(\d+)-[0-9a-f]{{4}}-", name)
        if found and not Path(f"/proc/{found.group(1)}").exists():
            remove_namespaces(found.group(0))
