#!/usr/bin/env python3
"""Plays the whole road on this machine and tells it as a timeline: factory, discovery, voucher, enrolment, join, cut, return.

Needs root (network namespaces). Writes report.json and the logs to --out. Ends 0 when everything happened as it must.
"""

import argparse
import concurrent.futures
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import refusals  # noqa: E402
from house import PORTS, REGISTRAR_ADDRESS, TARGET_ADDRESS, Failed, House, Lab, wait_until  # noqa: E402
from timeline import Timeline  # noqa: E402

MAKERS = [("acme", "Acme Sensors"), ("bolt", "Bolt Lighting"), ("mallory", "Mallory Devices")]


def short(did):
    return did if len(did) < 30 else f"{did[:14]}…{did[-4:]}"


class Story:
    def __init__(self, house, timeline):
        self.house, self.line = house, timeline
        self.refused = 0

    # ----- telling

    def timed(self, work):
        begin = time.time()
        value = work()
        return value, (time.time() - begin) * 1000

    def refuse(self, stage, attempt, *arguments):
        (what, reason), ms = self.timed(lambda: attempt(self.house, *arguments))
        self.refused += 1
        self.line.refusal(stage, what, reason, ms, {"attempt": attempt.__name__})

    def say(self, person, expression, why):
        answer, ms = self.timed(lambda: self.house.say(person, expression[0] if isinstance(expression, tuple) else expression))
        self.line.step("F", why, signer=person.mail, ms=ms, evidence={"claim": answer.get("location"), "state": answer["state"]})

    def tell_steps(self, device):
        """What device, registrar and MASA say of its onboarding, in the order it happened."""
        told = []
        for role in (device.program, self.house.registrar, device.maker.masa):
            for event in role.events():
                fields = event.get("fields", {})
                mine = role is device.program or fields.get("serial") == device.serial
                if mine and fields.get("stage", "-")[0] in "BCDE" and event.get("level") == "info":
                    told.append((event["ts"], role.name, event, fields))
        for ts, who, event, fields in sorted(told, key=lambda row: row[0]):
            text = event["message"].rstrip(".")
            who = device.serial if who.startswith("device-") else who.replace("masa-", "MASA of ")
            self.line.step(fields["stage"], f"{who}: {text[0].lower()}{text[1:]}", signer=fields.get("signer"),
                           ms=int(fields.get("us", 0)) / 1000 or None, evidence={"log": event},
                           at=datetime.datetime.fromisoformat(ts.replace("Z", "+00:00")).timestamp())

    # ----- chapters

    def prologue(self):
        house, line = self.house, self.line
        line.chapter("The cast")
        _, ms = self.timed(lambda: house.build(MAKERS))
        line.step("-", "ann@example.org owns a network: a registrar with its domain CA and claim node, a router with three wired "
                  "ports, and, on the internet, the servers of three makers", ms=ms,
                  evidence={"registrar": house.registrar_did, "router": house.routers["router"]["did"]})
        line.step("-", f"registrar {short(house.registrar_did)} and router {short(house.routers['router']['did'])} have met: "
                  "one person signed for both keys", signer=house.ann.mail)

    def factory(self):
        house, line = self.house, self.line
        line.chapter("Stage 0: in the factories")
        self.devices = {}
        for maker, serial, socket in (("acme", "acme-0001", "device1"), ("bolt", "bolt-0001", "device2"),
                                      ("mallory", "mallory-0001", "device3"), ("acme", "acme-0002", "device3")):
            device, ms = self.timed(lambda m=maker, s=serial, p=socket: house.device(m, s, p))
            self.devices[serial] = device
            line.step("0", f"{serial} made its key, got its IDevID, and its birth is known to the MASA of {device.maker.title}",
                      signer=f"CN={device.maker.title}", ms=ms, evidence={"device": device.did})
        self.first, self.second = self.devices["acme-0001"], self.devices["bolt-0001"]
        self.stranger, self.spare = self.devices["mallory-0001"], self.devices["acme-0002"]

    def claims(self):
        house = self.house
        ann = house.ann
        self.line.chapter("Stage F begins before anything else: what the owner has said")
        self.say(ann, f"Trust({ann.mail}, {house.makers['acme'].did})", "ann trusts the maker Acme Sensors")
        self.say(ann, f"Trust({ann.mail}, {house.makers['bolt'].did})", "ann trusts the maker Bolt Lighting")
        self.say(ann, f"Trust({ann.mail}, {self.first.did})", "ann trusts the device acme-0001")
        sales = house.folder / "people" / "bolt-sales.key"
        sales_did = house.make_key(sales)
        self.say(ann, f"ManufacturerKey({house.makers['bolt'].did}, {sales_did}, purchase)",
                 "ann knows the key that signs the sales of Bolt Lighting")
        purchase = house.sign(f"Purchase({self.second.did}, {ann.mail}, urn:bolt:lamp)", sales, "bolt-sold-a-lamp")
        answer, ms = self.timed(lambda: house.submit(purchase))
        self.line.step("F", "Bolt Lighting says that ann bought bolt-0001: what she owns, she need not trust one by one",
                       signer="Bolt Lighting's sales key", ms=ms, evidence={"claim": answer.get("location")})

    def early_refusals(self):
        line = self.line
        line.chapter("Who is turned away at the door")
        self.house.prepare_device_network(self.stranger)
        self.refuse("C.3", refusals.untrusted_maker, self.stranger)
        self.refuse("C.3", refusals.self_signed_idevid, self.spare)
        self.refuse("C.10", refusals.voucher_for_another_serial, self.spare)
        self.refuse("C.10", refusals.voucher_with_another_nonce, self.spare)
        self.refuse("C.10", refusals.voucher_past_its_expiry, self.spare)
        self.refuse("C.10", refusals.voucher_signed_by_a_device, self.spare, self.first)
        self.refuse("D.4", refusals.enrolment_without_voucher, self.spare)
        self.refuse("D.4", refusals.renewal_without_voucher, self.spare)

    def onboard(self, device):
        house, line = self.house, self.line
        line.chapter(f"{device.serial} of {device.maker.title} is plugged in")
        address, ms = self.timed(lambda: house.prepare_device_network(device))
        line.step("A", f"{device.serial} has the address {address} by DHCP, and no more: the gate of its port is shut", ms=ms)
        if device.pings():
            raise Failed(f"{device.serial} reaches the target network before it joined")
        line.step("E", f"ping {TARGET_ADDRESS} from {device.serial}: no answer before the join", outcome="done")
        device.start()
        device.step("E", 25)
        self.tell_steps(device)
        wait_until(device.pings, 5, f"{device.serial} to reach the target network")
        line.step("E", f"ping {TARGET_ADDRESS} from {device.serial}: answered")
        pair = house.devices(f"serial={device.serial}")[0]
        line.step("D", f"the registrar keeps the pair: IDevID {pair['idevid']['sha256'][:12]}…, LDevID {pair['ldevids'][-1]['serial'][:12]}…",
                  evidence={"pair": pair})

    def late_refusals(self):
        line = self.line
        self.slow = concurrent.futures.ThreadPoolExecutor(1).submit(self.timed, lambda: refusals.slow_sender(self.house))
        line.chapter("What even a welcome device may not do")
        self.refuse("D.4", refusals.csr_for_a_ca, self.first)
        self.refuse("D.4", refusals.csr_for_another_subject, self.first)
        self.refuse("E", refusals.join_without_ldevid, self.spare)
        self.refuse("E", refusals.join_as_another, self.spare, self.first)

    def cut(self):
        house, line, device = self.house, self.line, self.first
        line.chapter("A claim changes, and a device is cut off")
        mine, other = house.lab.continuous_ping("device1"), house.lab.continuous_ping("device2")
        now = time.time()
        mine.wait_for_reply(now, 5)
        other.wait_for_reply(now, 5)
        claim = house.ann.says(f"Distrust({house.ann.mail}, {device.did})", "distrusts-acme-0001")
        begin = time.time()
        house.submit(claim)
        last = mine.wait_for_silence(0.5, 10)
        line.step("F", "ann distrusts acme-0001", signer=house.ann.mail, at=begin)
        decision = house.registrar.wait_for("DECISION_TAKEN", 5, device=device.did, answer="deny")
        line.step("F", f"decided: {decision['fields']['reason']}", evidence={"log": decision})
        cut_ms = max(0.0, (last - begin) * 1000)
        line.step("F", f"acme-0001 is cut: its last ping was answered {cut_ms:.0f} ms after the claim was sent", outcome="cut",
                  ms=cut_ms, signer="the registrar's command key (DeviceRevokeCommand)",
                  evidence={"claim_sent": begin, "last_reply": last})
        time.sleep(0.3)
        gap = max((b - a for a, b in zip(other.replies(), other.replies()[1:])), default=9) * 1000
        if gap > 500 or other.last() < last:
            raise Failed(f"bolt-0001 was disturbed: {gap:.0f} ms without an answer")
        line.step("F", f"bolt-0001 noticed nothing: its longest wait between two pings was {gap:.0f} ms")
        mine.stop()
        other.stop()
        wait_until(lambda: house.devices(f"serial={device.serial}")[0]["ldevids"][-1]["status"] == "on hold", 5, "the hold")
        self.check_crl(device, True)
        self.refuse("D.4", refusals.enrolment_while_cut, device)
        self.refuse("D.4", refusals.renewal_while_cut, device)
        self.refuse("E", refusals.join_while_revoked, self.spare, device)

    def check_crl(self, device, listed):
        house = self.house
        serial = house.devices(f"serial={device.serial}")[0]["ldevids"][-1]["serial"]

        def on_crl():
            done = house.registrar_place.run(
                ["sh", "-c", f"curl -s --cacert {house.domain_ca} https://{REGISTRAR_ADDRESS}:{PORTS[0]}/crl | "
                 f"openssl crl -inform DER -noout -text -CAfile {house.domain_ca} 2>&1"])
            if "verify OK" not in done.stdout:
                raise Failed(f"the CRL does not verify: {done.stdout[-200:]}")
            return (serial.upper().lstrip("0") in done.stdout.upper()) == listed

        wait_until(on_crl, 5, f"the CRL to {'list' if listed else 'drop'} {serial}", interval=0.1)
        self.line.step("F", f"the CRL {'holds' if listed else 'no longer holds'} the LDevID of {device.serial} (openssl verified it)",
                       signer="the domain CA", evidence={"serial": serial})

    def back(self):
        house, line, device = self.house, self.line, self.first
        line.chapter("Another claim, and it is back")
        before = house.devices(f"serial={device.serial}")[0]["ldevids"]
        begin = time.time()
        house.say(house.ann, f"Trust({house.ann.mail}, {device.did})")
        line.step("F", "ann trusts acme-0001 again", signer=house.ann.mail, at=begin)
        wait_until(device.pings, 15, "acme-0001 to come back")
        line.step("E", "acme-0001 authenticated anew and reaches the target network: nothing was restarted, nothing enrolled again",
                  ms=(time.time() - begin) * 1000)
        after = house.devices(f"serial={device.serial}")[0]["ldevids"]
        if [c["serial"] for c in before] != [c["serial"] for c in after] or not device.program.running():
            raise Failed("acme-0001 enrolled again or was restarted")
        self.check_crl(device, False)
        done = device.program  # still the same process
        self.renew(device, done)

    def renew(self, device, program):
        program.stop()
        done, ms = self.timed(lambda: device.place.run([self.house.program, "pledge", "--json", "--state", device.folder, "--clock", "renew"]))
        self.line.step("D", f"acme-0001 renews its LDevID with a new key: {done.stdout.strip()[:90]}", signer="the domain CA", ms=ms)
        device.start()
        device.step("E", 20)
        wait_until(device.pings, 5, "acme-0001 to join with the renewed LDevID")

    def claim_refusals(self):
        line = self.line
        line.chapter("Whose word does not count")
        self.refuse("F", refusals.claim_with_broken_signature, self.spare)
        self.refuse("F", refusals.claim_from_unknown_issuer, self.spare)
        self.refuse("F", refusals.claim_without_right, self.spare)
        self.refuse("F", refusals.strangers_router)

    def hostile_bytes(self):
        self.line.chapter("Hostile bytes; after each, the registrar is asked whether it is well")
        for attempt in (refusals.truncated_body, refusals.not_der, refusals.hundred_megabytes, refusals.deep_json, refusals.not_http):
            self.refuse("C.2", attempt)
        (what, reason), ms = self.slow.result(50)  # it began a while ago; everybody else was served meanwhile
        self.refused += 1
        self.line.refusal("C.2", what, reason, ms, {"attempt": "slow_sender"})

    def tell(self):
        self.prologue()
        self.factory()
        self.claims()
        self.early_refusals()
        self.onboard(self.first)
        self.onboard(self.second)
        self.late_refusals()
        self.cut()
        self.back()
        self.claim_refusals()
        self.hostile_bytes()


def what_to_try(house, story):
    ann, device = house.ann, story.first
    print(f"""
  It goes on running. Try, in another terminal (as root):

    export CAHN={house.program} F={house.folder}
    ip netns exec {house.lab.ns('device1')} ping {TARGET_ADDRESS}                   # the device on the target network
    $CAHN vc new 'Distrust({ann.mail}, {device.did})' \\
        --key $F/people/ann.key -o /tmp/claim.json && $CAHN vc show /tmp/claim.json
    ip netns exec {house.lab.ns('registrar')} $CAHN vc submit /tmp/claim.json --to {house.url(1)} --cacert $F/registrar/domain-ca.pem --wait
    ip netns exec {house.lab.ns('registrar')} curl -s http://127.0.0.1:{PORTS[3]}/devices    # the pairs IDevID-LDevID
    ip netns exec {house.lab.ns('registrar')} curl -s http://127.0.0.1:{PORTS[3]}/metrics | grep cahn_
    ip netns exec {house.lab.ns('registrar')} curl -s --cacert $F/registrar/domain-ca.pem '{house.url(1)}/claims?limit=20'

  Ctrl-C ends it and leaves nothing behind.
""", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./run", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--keep", action="store_true", help="leave it running and print what to try")
    parser.add_argument("--out", default="out/run", help="folder for report.json and the logs (default: %(default)s)")
    parser.add_argument("--bin", default="build/release/bin", help="folder of the programs (default: %(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("./run makes network namespaces, which needs root. As root it leaves nothing behind.", file=sys.stderr)
        return 2
    programs = pathlib.Path(options.bin).resolve()
    out = pathlib.Path(options.out).resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    line = Timeline(out / "report.json")
    line.title("CAHN: two devices of two makers onboard, join, are cut off and come back")
    story, outcome, house = None, "failed", None
    with Lab(devices=3, makers=3) as lab:
        house = House(lab, lab.directory / "house", programs)
        try:
            story = Story(house, line)
            story.tell()
            outcome = "done"
            line.title(f"Everything happened as it must, and {story.refused} things that must be refused were. "
                       f"{time.time() - line.started:.1f} s.")
            if options.keep:
                what_to_try(house, story)
                try:
                    while True:
                        time.sleep(3600)
                except KeyboardInterrupt:
                    print()
        except (Failed, AssertionError, subprocess.SubprocessError) as error:
            line.step("-", f"STOPPED: {error}", outcome="failed")
        except KeyboardInterrupt:
            outcome = "interrupted"
        finally:
            house.stop()
            shutil.copytree(house.folder / "logs", out / "logs", dirs_exist_ok=True)
            line.write(outcome=outcome, refused=story.refused if story else 0)
    print(f"  report  {os.path.relpath(out / 'report.json')}\n  logs    {os.path.relpath(out / 'logs')}/", flush=True)
    return 0 if outcome == "done" else 130 if outcome == "interrupted" else 1


if __name__ == "__main__":
    sys.exit(main())
