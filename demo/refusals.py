"""What must be refused, each a function that tries it against the running house and returns (attempt, reason).

Each raises Failed when the attempt succeeds, or fails for another reason than it should. The demonstration tells them; the
system tests assert them one by one.
"""

import base64
import json
import os
import subprocess

from house import PORTS, REGISTRAR_ADDRESS, Failed, Role, wait_until

EST = f"https://{REGISTRAR_ADDRESS}:{PORTS[0]}/.well-known/est"
VOUCHER_PATH = "/.well-known/brski/requestvoucher"


def expect(condition, what):
    if not condition:
        raise Failed(what)


# ----- C: the voucher


def untrusted_maker(house, device):
    """A maker the owner does not trust: refused at C.3, and not one packet goes to its MASA."""
    address = house.at(house.lab.makers[list(house.makers).index(device.maker.name)]).address
    capture = house.lab.capture("registrar", f"host {address}", interface="wan")
    done = device.onboard_once(f"{REGISTRAR_ADDRESS}:{PORTS[0]}")
    packets = capture.stop()
    expect(done.returncode == 1, f"{device.serial} of an untrusted maker was onboarded")
    expect(packets == 0, f"{packets} packets went to the untrusted maker's MASA")
    refused = house.registrar.find("BRSKI_POLICY_DENIED", serial=device.serial)
    expect(refused, f"the registrar does not say why it refused {device.serial}: {reason_of(done.stderr)} | {house.registrar.tail(2)}")
    return f"{device.serial} of {device.maker.title}, whom nobody here trusts (0 packets to its MASA)", refused["message"]


def self_signed_idevid(house, device):
    """A device that signed its IDevID itself."""
    folder = house.folder / "devices" / "forged"
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    house.host.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "99",
                    "-keyout", folder / "idevid.key", "-out", folder / "idevid.pem",
                    "-subj", f"/CN={device.serial}/serialNumber={device.serial}",
                    "-addext", f"1.3.6.1.5.5.7.1.32=ASN1:IA5STRING:{device.maker.host}:{device.maker.port}"])
    os.chmod(folder / "idevid.key", 0o600)
    (folder / "masa-anchor.pem").write_bytes((device.folder / "masa-anchor.pem").read_bytes())
    done = device.place.run([house.program, "pledge", "--json", "--state", folder, "--clock", "--once",
                             "--registrar", f"{REGISTRAR_ADDRESS}:{PORTS[0]}"], check=False)
    expect(done.returncode == 1, "a self-signed IDevID was taken")
    expect("404" in done.stderr, f"not refused as an unknown maker: {done.stderr[-300:]}")
    return "a device whose “IDevID” it signed itself", reason_of(done.stderr)


def cheating_registrar(house, device, mode, signer=None, name=None, reason=None):
    """The pledge meets a registrar that answers with a voucher wrong in one way; it must see which."""
    masa = device.maker.state / "masa"
    certificate, key = signer or (masa / "signer.pem", masa / "signer.key")
    port = 7443
    cheat = Role(device.place, f"cheat-{mode}", [house.programs / "cahn_hostile", "--mode", mode, "--port", port,
                                                "--signer", certificate, "--signer-key", key],
                 house.folder / "logs" / f"cheat-{name or mode}.log")
    try:
        wait_until(lambda: "ready" in cheat.tail(2), 5, f"cahn_hostile: {cheat.tail()}")
        done = device.onboard_once(f"127.0.0.1:{port}")
        status = [e["text"] for e in cheat.events() if e.get("text", "").startswith("voucher_status")]
    finally:
        cheat.stop()
    expect(done.returncode == 1, f"the pledge took a voucher of mode {mode}")
    expect(not device.files.exists(), f"the pledge kept something of a voucher of mode {mode}")
    expect(status, f"the pledge did not report its refusal of mode {mode}: {done.stderr[-400:]}")
    said = step_reason(done.stderr, "C.10")
    if mode == "honest" and signer is None:
        expect("\"status\":true" in status[0].replace(" ", ""), f"an honest voucher was refused: {status[0]}")
        return "an honest voucher from the same server", "accepted"
    expect("\"status\":false" in status[0].replace(" ", ""), f"the pledge reported success in mode {mode}")
    expect(reason is None or reason in said, f"refused for another reason than {reason!r}: {said!r}")
    return f"a voucher {name or mode}", said


def voucher_for_another_serial(house, device):
    return cheating_registrar(house, device, "wrong-serial", name="for another serial number", reason="the voucher is for")


def voucher_with_another_nonce(house, device):
    return cheating_registrar(house, device, "wrong-nonce", name="with another nonce", reason="answers another request")


def voucher_past_its_expiry(house, device):
    return cheating_registrar(house, device, "expired", name="without nonce, past its expires-on", reason="expired")


def voucher_signed_by_a_device(house, device, other):
    """An otherwise honest voucher, signed with the IDevID key of another device of the same maker."""
    return cheating_registrar(house, device, "honest", signer=(other.folder / "idevid.pem", other.folder / "idevid.key"),
                              name="signed by a device of the same maker")


# ----- D: enrolment


def curl_enrol(house, place, certificate, key, csr, path="simpleenroll"):
    """(HTTP status, body) of an EST request by curl with this client certificate; `csr` is DER."""
    body = base64.b64encode(csr)
    done = subprocess.run(
        place.prefix + ["curl", "-s", "--max-time", "10", "--cacert", str(house.domain_ca), "--cert", str(certificate),
                        "--key", str(key), "-H", "Content-Type: application/pkcs10", "--data-binary", "@-",
                        "-w", "\n%{http_code}", f"{EST}/{path}"],
        input=body, capture_output=True, timeout=20, check=False)
    text, _, status = done.stdout.rpartition(b"\n")
    return int(status or 0), text.decode(errors="replace").strip()


def make_csr(house, name, subject, *more):
    """A CSR by openssl with a fresh P-256 key; (DER, path of the key)."""
    folder = house.folder / "csr"
    folder.mkdir(exist_ok=True)
    key, out = folder / f"{name}.key", folder / f"{name}.der"
    house.host.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-outform", "DER", "-out", out, "-subj", subject, *more])
    return out.read_bytes(), key


def refused_enrolment(house, device, csr, what, word, certificate=None, key=None, path="simpleenroll"):
    """The request must be answered 403, with a reason that has `word` in it."""
    got, text = curl_enrol(house, device.place, certificate or device.folder / "idevid.pem",
                           key or device.folder / "idevid.key", csr, path)
    expect(got == 403, f"{what}: HTTP {got} instead of 403: {text[:200]}")
    expect(word in text, f"{what}: refused for another reason than {word!r}: {text[:200]}")
    return what, text


def enrolment_without_voucher(house, device):
    csr, _ = make_csr(house, "no-voucher", f"/serialNumber={device.serial}")
    return refused_enrolment(house, device, csr, f"{device.serial} enrolling without a voucher", "no voucher")


def renewal_without_voucher(house, device):
    """simplereenroll with the IDevID, as if it were a certificate of this domain."""
    csr, _ = make_csr(house, "renew-no-voucher", f"/serialNumber={device.serial}")
    return refused_enrolment(house, device, csr, f"{device.serial} renewing what it never had", "", path="simplereenroll")


def csr_for_a_ca(house, device):
    csr, _ = make_csr(house, "ca-true", f"/serialNumber={device.serial}", "-addext", "basicConstraints=critical,CA:TRUE")
    return refused_enrolment(house, device, csr, "a certificate request that asks for CA:TRUE", "CA:TRUE")


def csr_for_another_subject(house, device):
    csr, _ = make_csr(house, "other-subject", "/serialNumber=somebody-else")
    return refused_enrolment(house, device, csr, "a certificate request for another subject", "another device")


def enrolment_while_cut(house, device):
    csr, _ = make_csr(house, "while-cut", f"/serialNumber={device.serial}")
    return refused_enrolment(house, device, csr, f"{device.serial} enrolling again while it is cut off", "does not admit")


def renewal_while_cut(house, device):
    """With the very subject of the LDevID, so that nothing is wrong with the request but whose it is."""
    csr, _ = make_csr(house, "renew-while-cut", f"/CN={house.network}/serialNumber={device.serial}", "-addext",
                      f"subjectAltName=URI:urn:cahn:network:{house.network}")
    return refused_enrolment(house, device, csr, f"{device.serial} renewing its LDevID while it is cut off", "on hold",
                             certificate=device.files / "ldevid.pem", key=device.files / "ldevid.key", path="simplereenroll")


# ----- E: the join


def eap(house, place, name, identity, certificate, key, timeout=8):
    """One EAP-TLS attempt on the wire by wpa_supplicant; (succeeded, the reason why not).

    Each comes from a link address of its own: hostapd holds a station that failed for a minute (IEEE 802.1X quietPeriod).
    """
    address = "02:" + ":".join(f"{octet:02x}" for octet in os.urandom(5))
    place.run(["sh", "-c", f"ip link set eth0 down && ip link set eth0 address {address} && ip link set eth0 up"])
    folder = house.lab.directory / f"s-{name}"
    folder.mkdir(exist_ok=True)
    configuration = folder / "wpa.conf"
    configuration.write_text(
        f"ctrl_interface={folder}/c\nap_scan=0\nnetwork={{\n key_mgmt=IEEE8021X\n eapol_flags=0\n eap=TLS\n"
        f" identity=\"{identity}\"\n ca_cert=\"{house.domain_ca}\"\n domain_match=\"radius.{house.network}\"\n"
        f" client_cert=\"{certificate}\"\n private_key=\"{key}\"\n}}\n")
    log = house.folder / "logs" / f"eap-{name}.log"
    router = house.routers["router"]["role"]
    refusals_before = len(router_refusals(router))
    role = Role(place, name, ["wpa_supplicant", "-D", "wired", "-i", "eth0", "-c", configuration], log)
    try:
        # The supplicant does not always say that it was refused at the very end (TLS 1.3); the router always does.
        wait_until(lambda: any(w in role.tail(50) for w in ("EAP-SUCCESS", "EAP-FAILURE"))
                   or len(router_refusals(router)) > refusals_before, timeout,
                   lambda: f"an answer to EAP-TLS of {name}: {role.tail(3)}")
        reasons = [event["fields"]["reason"] for event in router_refusals(router)[refusals_before:]]
        return "EAP-SUCCESS" in role.tail(50), reasons[0] if reasons else "the RADIUS server does not know its issuer"
    finally:
        role.stop()


def router_refusals(router):
    return [event for event in router.events() if event.get("id") == "BEARER_REFUSED"]


def refused_join(house, device, name, identity, certificate, key, what):
    joined, reason = eap(house, device.place, name, identity, certificate, key)
    expect(not joined, f"{what}: joined all the same")
    expect(not device.pings(), f"{what}: the gate is open")
    return what, reason


def join_without_ldevid(house, device):
    return refused_join(house, device, "no-ldevid", device.serial, device.folder / "idevid.pem", device.folder / "idevid.key",
                        f"{device.serial} joining with its IDevID instead of an LDevID")


def join_as_another(house, device, other):
    return refused_join(house, device, "as-another", device.serial, other.files / "ldevid.pem", other.files / "ldevid.key",
                        f"joining with the LDevID of {other.serial} under the name {device.serial}")


def join_while_revoked(house, device, revoked):
    return refused_join(house, device, "revoked", revoked.serial, revoked.files / "ldevid.pem", revoked.files / "ldevid.key",
                        f"joining with the LDevID of {revoked.serial}, which is on the CRL")


# ----- F: claims and routers


def refused_claim(house, claim, what, word):
    answer = house.submit(claim, check=False)
    expect(answer.get("state") != "accepted", f"{what} was accepted")
    expect(word in answer.get("reason", ""), f"{what} was refused for another reason: {answer}")
    return what, answer["reason"]


def claim_with_broken_signature(house, device):
    claim = house.ann.says(f"Trust({house.ann.mail}, {device.did})", "broken")
    text = claim.read_text()
    at = text.index('"proofValue"')
    start = text.index("z", at + len('"proofValue"'))
    changed = text[: start + 20] + ("A" if text[start + 20] != "A" else "B") + text[start + 21:]
    claim.write_text(changed)
    return refused_claim(house, claim, "a claim whose signature was changed in one place", "signature")


def claim_from_unknown_issuer(house, device):
    claim = house.gus.says(f"Trust({house.gus.mail}, {device.did})", "unknown")
    return refused_claim(house, claim, "a claim by a key that nobody has bound to a person", "unknown issuer")


def claim_without_right(house, device):
    claim = house.bob.says(f"Trust({house.bob.mail}, {device.did})", "not-entitled")
    return refused_claim(house, claim, "a claim by bob, who has no right to connect devices", "right")


def strangers_router(house):
    """A router that belongs to bob."""
    house.lab.run("target", ["ip", "link", "add", "bobs-port", "type", "veth", "peer", "name", "bobs-device"])
    role = house.start_router("bobs-router", place="target", interfaces=["bobs-port"], ready=False, health_port=18447)
    try:
        refused = house.registrar.wait_for("ROUTER_REFUSED", 60)
    finally:
        role.stop()
        house.roles.remove(role)
        house.lab.run("target", ["ip", "link", "del", "bobs-port"])
    return "a router that belongs to bob", refused["fields"]["reason"]


# ----- hostile bytes


def raw_exchange(house, octets, port=PORTS[0], timeout=20):
    """Sends octets over TLS to the registrar, then only listens; what it answers before it closes (or b'')."""
    script = r"""
import socket, ssl, sys
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
raw = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
tls = context.wrap_socket(raw)
answer = b""
try:
    tls.sendall(sys.stdin.buffer.read())
    while True:
        more = tls.recv(65536)
        if not more: break
        answer += more
except (ConnectionError, ssl.SSLError):
    pass  # closed on us: what was answered before that counts
except socket.timeout:
    answer = b"still open"
sys.stdout.buffer.write(answer[:200])
"""
    done = subprocess.run(
        house.registrar_place.prefix + ["/usr/bin/python3", "-c", script, REGISTRAR_ADDRESS, str(port), str(timeout)],
        input=octets, capture_output=True, timeout=timeout + 20, check=False)
    return done.stdout


def post(body, content_type="application/voucher-cms+json", path=VOUCHER_PATH, length=None, connection="close"):
    size = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: registrar\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\n" \
           f"Connection: {connection}\r\n\r\n"
    return head.encode() + body


def refused_bytes(house, octets, what, statuses, **more):
    answer = raw_exchange(house, octets, **more)
    status = answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/1.1 ") else answer.decode(errors="replace") or "closed"
    expect(status in statuses, f"{what}: answered {answer[:100]!r}")
    expect(house.registrar.running(), f"{what}: the registrar died")
    healthy = house.registrar_place.run(["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{PORTS[3]}/healthz"])
    expect(healthy.stdout.strip() == "ok", f"{what}: the registrar is not well afterwards: {healthy.stdout}")
    return what, "the connection was closed" if status == "closed" else answer.split(b"\r\n")[0].decode()


def truncated_body(house):
    return refused_bytes(house, post(bytes.fromhex("3082ffff06092a864886f70d010702")), "a voucher-request cut short", ["406", "400", "401"])


def not_der(house):
    return refused_bytes(house, post(b"this is not DER"), "a voucher-request that is not DER", ["406", "400", "401"])


def hundred_megabytes(house):
    return refused_bytes(house, post(b"0" * 65536, length=100 << 20), "a body of 100 MB", ["413", "closed"])


def deep_json(house):
    deep = b'{"credentialSubject":' + b"[" * 20000 + b"]" * 20000 + b"}"
    return refused_bytes(house, post(deep, "application/vc", "/claims"), "a claim of JSON 20,000 levels deep", ["400"], port=PORTS[1])


def slow_sender(house):
    """Half a request head, and then nothing: closed when its time is up."""
    return refused_bytes(house, post(b"")[:40], "a sender that stops in the middle", ["408", "closed"], timeout=45)


def not_http(house):
    return refused_bytes(house, b"\x00\x01\x02 nonsense\r\n\r\n", "bytes that are no HTTP", ["400", "closed"])


# ----- helpers


def events(stderr):
    for line in stderr.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def step_reason(stderr, stage):
    for event in events(stderr):
        if event.get("id") == "ROAD_REFUSED" and event.get("fields", {}).get("stage") == stage:
            return event["message"]
    return reason_of(stderr)


def reason_of(stderr):
    for event in events(stderr):
        if event.get("id") in ("ONBOARDING_FAILED", "ROAD_REFUSED"):
            return event["message"]
    return stderr.strip()[-200:]
