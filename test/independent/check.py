#!/usr/bin/env python3
"""Verifies what a Twinwrap authority answered, from docs/format.md alone.

    check.py receipt AUTHORITY.json SUBMISSION RECEIPT
    check.py release AUTHORITY.json RELEASE [SUBMISSION...]

Prints one line for every fact and exits with 0, or says what is refused and exits with 1. Whether the
fingerprint that it prints is the right authority's is for people to compare. Needs python3-cryptography.
"""
import base64
import functools
import hashlib
import hmac
import json
import re
import sys
import unicodedata
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key


class Refused(Exception):
    pass


def need(condition, problem):
    if not condition:
        raise Refused(problem)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def utf8(text):
    return text.encode()


def utf16(text):
    return text.encode("utf-16-be")


# Readers of values. Each takes the value and what it is called when it is refused.

MAX = 2**53 - 1
CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
SPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
FOREIGN = re.compile(f"[{SPACE}\0-\x1f\x7f-\x9f+]")


def text(least, most, forbidden=re.compile("(?!)")):
    def read(value, where):
        need(type(value) is str and least <= len(utf8(value)) <= most and not forbidden.search(value),
             f"{where} is not a text as it should be, of {least} to {most} bytes")
        return value
    return read


owner_id = text(1, 255, FOREIGN)


def origin(value, where):
    need(not owner_id(value, where).startswith("twinwrap/"), f"{where} begins with twinwrap/")
    return value


def one_of(*choices):
    def read(value, where):
        need(type(value) in (str, int) and value in choices, f"{where} is not one of {choices}")
        return value
    return read


def number(least, most=MAX):
    def read(value, where):
        need(re.fullmatch("0|[1-9][0-9]{0,15}", value) and least <= int(value) <= most,
             f"{where} is not a number from {least} to {most}")
        return int(value)
    return read


def time(value, where):
    try:
        at = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")  # knows no year 0
        need(re.fullmatch("[-0-9T:]{19}Z", value), "")  # every field has all its digits
        return at
    except (TypeError, ValueError, Refused):
        raise Refused(f"{where} is not a time")


def sane_time(value, where):
    moment = time(value, where)
    need(2000 <= moment.year <= 2199, f"{where} is not in the years 2000 to 2199")
    return moment


def digest(value, where):
    need(re.fullmatch("[0-9a-f]{64}", value), f"{where} is not 64 digits of hexadecimal")
    return bytes.fromhex(value)


def point(value, where):
    """A log at one size: how many leaves, and the root hash."""
    size, _, root = value.partition(" ")
    return number(0)(size, where), digest(root, where)


def b64(least, most=None, altchars=None):
    def read(value, where):
        try:
            data = base64.b64decode(value + "=" * (-len(value) % 4), altchars, validate=True)
            again = base64.b64encode(data, altchars).decode()
            need(value == (again.rstrip("=") if altchars else again), "")  # there is one spelling
            need(least <= len(data) <= (most or least), "")
            return data
        except (TypeError, ValueError, Refused):
            raise Refused(f"{where} is not base64 of {least} to {most or least} bytes")
    return read


def binary(least, most=None):
    return b64(least, most, b"-_")


def spki(base64_reader):
    def read(value, where):
        der = base64_reader(value, where)
        try:
            key = load_der_public_key(der)
            rsa = key.public_numbers()
            good = (key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == der
                    and 2048 <= rsa.n.bit_length() <= 16384 and rsa.n % 2
                    and rsa.e % 2 and 65537 <= rsa.e < 2**32)
        except Exception:  # the library has many
            good = False
        need(good, f"{where} is not an RSA key to wrap for, in its one spelling")
        return der
    return read


# JSON: RFC 8785, and objects with exactly these members.

# The letters that are default-ignorable: fillers of Hangul. All else that is so is no letter.
FILLERS = "\u115f\u1160\u3164\uffa0"


def fold(name):
    """A name as officers' names are compared."""
    before = None
    while name != before:
        before = name
        name = "".join(c for c in unicodedata.normalize("NFKD", name)
                       if unicodedata.category(c)[0] in "LN" and c not in FILLERS).upper().lower()
    return name


def jcs(value, depth=1):
    need(depth <= 8, "JSON is nested too deep")
    if type(value) is list:
        return "[" + ",".join(jcs(item, depth + 1) for item in value) + "]"
    if type(value) is dict:
        names = sorted(value, key=utf16)
        return "{" + ",".join(f"{jcs(n, depth)}:{jcs(value[n], depth + 1)}" for n in names) + "}"
    need(type(value) in (str, bool, type(None)) or type(value) is int and abs(value) <= MAX,
         "JSON has a number that is not whole, or too large")
    return json.dumps(value, ensure_ascii=False)


def load(path, most, readers, optional=()):
    with open(path, "rb") as file:
        data = file.read(most + 1)
    need(len(data) <= most, f"{path} has more than {most} bytes")
    try:
        value = json.loads(data.decode())
        need(utf8(jcs(value)) == data, f"{path} is not canonical JSON")
    except (ValueError, RecursionError):
        raise Refused(f"{path} is not canonical JSON")
    return members(readers, optional)(value, path)


def members(readers, optional=()):
    def read(value, where):
        need(type(value) is dict and set(readers) - set(optional) <= set(value) <= set(readers),
             f"{where} is not an object with {', '.join(readers)}")
        return {name: readers[name](value[name], f"{where}: {name}") for name in value}
    return read


def items(least, most, reader):
    def read(value, where):
        need(type(value) is list and least <= len(value) <= most, f"{where}: not {least} to {most}")
        return [reader(item, where) for item in value]
    return read


# Lines, signed notes, and the log.

class Lines:
    def __init__(self, content, kind):
        self.kind, self.rest = kind, content.split("\n")
        need(self.rest.pop() == "" and self.rest[:1] == [kind], f"not a text that begins with {kind}")
        need(not any(CONTROL.search(line) for line in self.rest), f"{kind}: a control character")
        self.rest.pop(0)

    def many(self, key, least, most, read):
        found = []
        while self.rest and self.rest[0].startswith(f"{key} ") and len(found) < most:
            found.append(read(self.rest.pop(0)[len(key) + 1:], f"{self.kind}: {key}"))
        need(len(found) >= least, f"{self.kind}: no line {key} where it should be")
        return found

    def take(self, **readers):
        return {key: self.many(key, 1, 1, read)[0] for key, read in readers.items()}

    def end(self):
        need(not self.rest, f"{self.kind}: a line too many")


# Ed25519 (RFC 8032, section 5.1): field, order of the base point, curve.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    """Affine and slow, as RFC 8032 has the addition law."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


@functools.cache
def is_public_key(key):
    both = int.from_bytes(key, "little")
    sign, y = both >> 255, both % 2**255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return False
    point = (x if x % 2 == sign else P - x, y)
    total, power = (0, 1), point
    for bit in bin(L)[:1:-1]:
        if bit == "1":
            total = add(total, power)
        power = add(power, power)
    return total == (0, 1) != point


def public_key(value, where):
    key = b64(32)(value, where)
    need(is_public_key(key), f"{where} is no Ed25519 public key")
    return key


def ed25519(key, message, signature):
    if len(signature) != 64 or int.from_bytes(signature[:32], "little") == 1:
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        # OpenSSL: R is compared byte for byte, without the cofactor.
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def split_note(note):
    need(type(note) is str and len(utf8(note)) <= 65536 and not re.search("[\0-\x09\x0b-\x1f]", note),
         "not a signed note")
    content, empty, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    need(empty and lines.pop() == "" and 1 <= len(lines) <= 128, "not a note with 1 to 128 signatures")
    signatures = []
    for line in lines:
        match = re.fullmatch(f"\u2014 ([^{SPACE}+]+) ([^ ]+)", line)
        need(match, "a note has a malformed signature line")
        blob = b64(5, 65536)(match[2], "a note's signature")
        signatures.append((match[1], blob[:4], blob[4:]))
    need(len({one[:2] for one in signatures}) == len(signatures), "a note has two signatures of one name and key ID")
    return content + "\n", signatures


def signers(note, keys):
    """Which of the keys, each (name, public key), signed the note."""
    content, signatures = split_note(note)
    found = set()
    for name, key_id, signature in signatures:
        known = {k for k in keys if k[0] == name and sha256(utf8(name), b"\n\1", k[1])[:4] == key_id}
        good = {k for k in known if ed25519(k[1], utf8(content), signature)}
        need(good or not known, f"the signature of {name} does not verify")
        found |= good
    return found


LEAVES = {
    "escrow": {"record": digest, "owner": digest},
    "verified": {"record": digest, "owner": digest},
    "request": {"request": digest, "policy": digest, "expires": time, "notbefore": time},
    "release": {"record": digest, "owner": digest, "request": digest, "policy": digest, "approvals": digest,
                "recipient": digest, "basis": one_of("quorum", "emergency")}}


def parse_leaf(content, *types):
    lines = Lines(content, "twinwrap/leaf/v1")
    leaf = lines.take(type=one_of(*types), time=time)
    leaf.update(lines.take(**LEAVES[leaf["type"]]))
    if leaf["type"] == "request":
        leaf["owners"] = lines.many("owner", 1, 500, digest)
        need(leaf["owners"] == sorted(set(leaf["owners"])), "the owners of a request's leaf are not sorted")
    lines.end()
    return leaf


def verify_proof(leaf, proof, authority):
    """Returns the leaf's index, the number of leaves, and the log's origin, with what it is worth if that ended."""
    head, empty, note = proof.partition("\n\n")
    kind, *lines = head.split("\n")
    need(empty and kind == "c2sp.org/tlog-proof@v1" and lines and lines[0].startswith("index ")
         and len(lines) <= 54, "not a proof of a log")
    index = number(0)(lines[0][6:], "the proof's index")
    path = [b64(32)(line, "a hash of the proof") for line in lines[1:]]
    checkpoint = split_note(note)[0][:-1].split("\n")
    need(len(checkpoint) == 3, "a checkpoint does not have three lines")
    name, size = origin(checkpoint[0], "the log's origin"), number(0)(checkpoint[1], "the log's size")
    root = b64(32)(checkpoint[2], "the log's root")
    need(signers(note, [key for key in authority["logs"] if key[0] == name]),
         f"the checkpoint of {name} is not signed by a log key of the authority")
    kept, end = authority["ended"].get(name, ((0, sha256()), (MAX, b"")))
    need(all(root == known for at, known in (kept, end) if at == size), f"the log {name} ended otherwise")
    need(index < end[0], f"the log {name} ended before this leaf")
    need(name not in authority["ended"] or index < kept[0], f"the leaf is lost: of the log {name}, {kept[0]} are kept")
    need(index < size, "the proof is for a leaf that the log does not have")

    def climb(start, end):
        """The root over leaves start up to end that the path leads to (RFC 6962, 2.1.1)."""
        if end - start == 1:
            return sha256(b"\0", utf8(leaf))
        need(path, "a hash is missing in the proof")
        middle, beside = start + (1 << (end - start - 1).bit_length() - 1), path.pop()
        if index < middle:
            return sha256(b"\1", climb(start, middle), beside)
        return sha256(b"\1", beside, climb(middle, end))
    need(climb(0, size) == root and not path, "the leaf is not in the log as the proof says")
    unconfirmed = name in authority["ended"] and size != kept[0]
    return index, size, name + (", unconfirmed since it ended" if unconfirmed else "")


# Who the authority is.

def parse_identity(note, _):
    content, _ = split_note(note)
    lines = Lines(content, "twinwrap/authority/v1")

    def log(value, where):
        name, _, key = value.partition(" ")
        return origin(name, where), public_key(key, where)
    identity = lines.take(origin=origin, number=number(1, 1024), previous=digest, log=log)
    identity["wraps"] = lines.many("wrap", 1, 64, spki(b64(1, 4096)))
    identity.update(lines.take(alg=one_of("rsa-oaep-sha1", "rsa-oaep-sha1 rsa-pkcs1-v1_5")))
    identity["ended"] = []
    while lines.rest:
        identity["ended"].append(tuple(lines.take(ended=log, kept=point, end=point).values()))
    ended = identity["ended"]
    need(len(ended) <= 63 and all(kept[0] <= end[0] for _, kept, end in ended), "a log ended as none can")
    logs = [identity["log"], *(one[0] for one in ended)]
    for keys in [name for name, _ in logs], [key for _, key in logs], identity["wraps"]:
        need(len(set(keys)) == len(keys), "an identity has a key or a log twice")
    need(identity["number"] > 1 or not ended and identity["log"][0] == identity["origin"],
         "the first log key does not sign under the origin")
    keys = [line for line in content.split("\n") if line.split(" ")[0] in ("origin", "log", "wrap", "alg")]
    return {**identity, "note": note, "logs": logs, "hash": sha256(b"twinwrap/v1/authority\n", utf8(content)),
            "keys": sha256(b"twinwrap/v1/keys\n", *(utf8(line + "\n") for line in keys))}


def parse_policy(note, _):
    content, _ = split_note(note)
    lines = Lines(content, "twinwrap/policy/v1")
    policy = lines.take(authority=origin, number=number(1, 1024), previous=digest, release=number(1, 63),
                        change=number(1, 63), emergency=number(1, 63), waiting=number(0, 366 * 86400),
                        owners=one_of("open", "enrolled"), unproven=one_of("refused", "taken"))
    officers, shares, whole = {}, set(), set()
    while lines.rest:
        name, key, share = lines.take(officer=origin, key=public_key, share=spki(b64(1, 4096))).values()
        own = lines.many("self", 0, 64, owner_id)
        need(own == sorted(set(own), key=utf16), "the owner IDs of an officer are not sorted")
        need(all(utf16(other) < utf16(name) for other in officers) and key not in officers.values()
             and share not in shares, "the officers are not in order, or a key is there twice")
        officers[name] = key
        shares.add(share)
        whole.add((name, key, share))
    folded = {fold(name) for name in officers}
    need("" not in folded and len(folded) == len(officers), "two officers' names fold alike, or one to nothing")
    need(max(policy[name] for name in ("release", "change", "emergency")) <= len(officers) <= 63,
         "a policy asks for more officers than there are, or has too many")
    return {**policy, "note": note, "hash": sha256(b"twinwrap/v1/policy\n", utf8(content)),
            "officers": list(officers.items()), "shares": shares, "whole": whole}


def check_policy(policy, before, identities, previous):
    """A policy in its place: behind another, or undefined, and some identities."""
    at, logs = policy["number"], identities[-1]["logs"]
    need(policy["previous"] == previous and at == (before["number"] if before else 0) + 1
         and policy["authority"] == identities[0]["origin"], f"policy {at} does not follow what is before it")
    need(not {key for _, key in policy["officers"]} & {key for _, key in logs},
         f"policy {at}: an officer has a log key")
    need(not policy["shares"] & {wrap for identity in identities for wrap in identity["wraps"]},
         f"policy {at}: an officer has a key of the authority")
    signed = len(signers(policy["note"], (before or policy)["officers"]))
    takes = before["change"] if before else len(policy["officers"])
    joining = [(name, key) for name, key, _ in policy["whole"] - before["whole"]] if before else []
    need(signers(policy["note"], logs[:1]) and signed >= takes
         and signers(policy["note"], joining) == set(joining), f"policy {at} lacks signatures")
    print(f"policy {at}: signed by the log key, by {signed} officers and by all who join")


def check_identity(identity, before, policy, previous):
    """A later identity in its place: behind another, under the newest policy before it."""
    at, log, ended = identity["number"], identity["log"], identity["ended"]
    need(identity["previous"] == previous and at == before["number"] + 1
         and identity["origin"] == before["origin"], f"identity {at} does not follow what is before it")
    rest, ends = ended[len(before["ended"]):], log != before["log"]
    stays = [now == old or ends and (now[0], now[2]) == (old[0], old[2]) and now[1][0] < old[1][0]
             for now, old in zip(ended, before["ended"])]
    need(len(ended) >= len(before["ended"]) and all(stays)
         and [one[0] for one in rest] == ([before["log"]] if ends else []),
         f"identity {at} does not say where the log before it ended")
    need(log[1] not in [key for _, key in policy["officers"]] and not policy["shares"] & set(identity["wraps"]),
         f"identity {at}: an officer has a key of it")
    takes = policy["change" if signers(identity["note"], [before["log"]]) else "emergency"]
    need(signers(identity["note"], [log]), f"identity {at} is not signed by its own log key")
    signed = len(signers(identity["note"], policy["officers"]))
    need(signed >= takes, f"identity {at} is not signed by the officers")
    print(f"identity {at}: signed by the log keys and by {signed} officers")


def load_authority(path):
    file = load(path, 32 << 20, {"type": one_of("twinwrap/authority/v1"),
                                 "identities": items(1, 1024, parse_identity),
                                 "policies": items(1, 1024, parse_policy)}, ["policies"])
    (first, *later), policies = file["identities"], file.get("policies", [])
    need(first["number"] == 1 and signers(first["note"], [first["log"]]),
         "identity 1 is not signed by the log key")
    print("identity 1: signed by its log key")
    identities, newest, left = [first], first["hash"], list(policies)
    if left:
        check_policy(left[0], None, identities, first["keys"])
        need(first["previous"] == left[0]["hash"], "policy 1 is not the one that identity 1 names")
    policy = left.pop(0) if left else None
    while later or left:
        # The one that names the newest note is next; of two, one will follow nothing.
        if left and (left[0]["previous"] == newest or not later):
            check_policy(left[0], policy, identities, newest)
            policy = left.pop(0)
            newest = policy["hash"]
        else:
            need(policy, "an identity follows no policy")
            check_identity(later[0], identities[-1], policy, newest)
            identities.append(later.pop(0))
            newest = identities[-1]["hash"]
    last = identities[-1]
    print(f"authority: {first['origin']}, fingerprint {first['hash'].hex()}")
    return {"origin": first["origin"], "logs": last["logs"],
            "ended": {key[0]: (kept, end) for key, kept, end in last["ended"]},
            "wraps": {sha256(der) for identity in identities for der in identity["wraps"]},
            "policies": {policy["hash"]: (policy["number"], policy["waiting"]) for policy in policies}}


# Messages.

ALG = one_of("rsa-oaep-sha1", "rsa-pkcs1-v1_5")
WRAP = members({"alg": ALG, "fingerprint": binary(32), "simpleblob": binary(0, 4096)})
PROVEN = {"leaf": text(1, 4096), "proof": text(1, 80 << 10)}
ALGORITHMS = {"body": "Cobblestone-256", "key": "CALG_AES_256", "wrap": "SIMPLEBLOB"}
RECORD = {"v": one_of(1), "authority": origin, "owner": owner_id, "serial": binary(16),
          "blind": binary(32), "description": text(0, 4096, re.compile("\0")), "created": sane_time}
KEY_PROOF = {"header": binary(32), "salt": binary(24), "commitment": binary(32)}
FILE = members({**RECORD, **KEY_PROOF, "alg": members(
    {name: one_of(value) for name, value in ALGORITHMS.items()})}, ["description"])
LABEL = text(1, 255, CONTROL)
KEYS = ("DES", "RC2", "3DES", "3DES_112", "AES_128", "AES_192", "AES_256", "RC4")
SEVERAL_LENGTHS = {"CALG_RC2": (5, 128), "CALG_RC4": (5, 16)}


def blob_alg(*keys):
    return members({"body": one_of("blob"), "key": one_of(*keys), "wrap": one_of("SIMPLEBLOB")})


PROVEN_BLOB = members({**RECORD, **KEY_PROOF, "label": LABEL, "alg": blob_alg("CALG_AES_256")},
                      ["description", "label"])


def whole(least, most):
    def read(value, where):
        need(type(value) is int and least <= value <= most, f"{where} is not {least} to {most}")
        return value
    return read


def unproven_blob(value, where):
    key = blob_alg(*("CALG_" + name for name in KEYS))(value.get("alg"), f"alg of {where}")["key"]
    lengths = {"keyLength": whole(*SEVERAL_LENGTHS[key])} if key in SEVERAL_LENGTHS else {}
    return members({**RECORD, **lengths, "label": LABEL, "alg": lambda alg, _: alg,
                    "wrap": binary(32)}, ["description", "label"])(value, where)


def record(value, where):
    """A record, of whichever form."""
    alg = value.get("alg") if type(value) is dict else None
    if type(alg) is not dict or alg.get("body") != "blob":
        return FILE(value, where)
    return (unproven_blob if "wrap" in value else PROVEN_BLOB)(value, where)


def bound_wrap(value, where):
    return {**WRAP(value, where), "hash": sha256(b"twinwrap/v1/wrap\n", utf8(jcs(value)))}


REQUEST = members({
    "type": one_of("twinwrap/request/v1"), "v": one_of(1), "authority": origin,
    "requester": text(1, 255, CONTROL), "recipient": spki(binary(1, 4096)), "alg": ALG,
    "records": items(1, 1000, binary(32)), "created": time, "expires": time, "nonce": binary(16)})


def hashed(reader, label):
    """The value read, with the hash of its JSON."""
    return lambda value, where: {**reader(value, where), "hash": sha256(label, utf8(jcs(value)))}


def load_submission(path, authority):
    submission = load(path, 16384, {
        "type": one_of("twinwrap/submission/v1"), "record": hashed(record, b"twinwrap/v1/record\n"),
        "tag": binary(32), "wrap": bound_wrap}, ["tag"])
    bound_to = submission["record"].get("wrap")
    need(("tag" in submission) == (bound_to is None), f"{path} lacks a tag, or has one that proves nothing")
    need(bound_to in (None, submission["wrap"]["hash"]), f"{path} has another wrap than its record is for")
    need(submission["record"]["authority"] == authority["origin"], f"{path} is for another authority")
    print(f"submission: record {submission['record']['hash'].hex()}, owner {submission['record']['owner']}"
          + (", key not proven" if bound_to else ""))
    return submission


def check_receipt(authority_path, submission_path, receipt_path):
    authority = load_authority(authority_path)
    submission = load_submission(submission_path, authority)
    need(submission["wrap"]["fingerprint"] in authority["wraps"],
         "the submission is wrapped for a key that is not the authority's")
    receipt = load(receipt_path, 96 << 10, {"type": one_of("twinwrap/receipt/v1"), **PROVEN})
    leaf = parse_leaf(receipt["leaf"], "escrow", "verified")
    need(leaf["record"] == submission["record"]["hash"], "the receipt is for another record")
    need("tag" in submission or leaf["type"] == "escrow", "the receipt calls verified what nobody proves")
    index, size, name = verify_proof(receipt["leaf"], receipt["proof"], authority)
    print(f"receipt: {leaf['type']} at {leaf['time']}, leaf {index} of {size} in {name}")


def checkpoint_of(proof):
    return proof.partition("\n\n")[2]


def check_requested(requested, request, authority):
    """The leaf of the request, and its index."""
    leaf = parse_leaf(requested["leaf"], "request")
    need(leaf["request"] == request["hash"] and leaf["expires"] == request["expires"],
         "the request's leaf is of another request")
    waits, policies = leaf["notbefore"] - leaf["time"], authority["policies"]
    need(leaf["policy"] in policies and waits == timedelta(seconds=policies[leaf["policy"]][1])
         if policies else waits >= timedelta(0), "the request's leaf does not wait as a policy says")
    index, size, name = verify_proof(requested["leaf"], requested["proof"], authority)
    print(f"request: taken in at {leaf['time']}, waits until {leaf['notbefore']}, leaf {index} of {size} in {name}")
    return leaf, index


def check_release(authority_path, release_path, *submission_paths):
    authority = load_authority(authority_path)
    release = load(release_path, 32 << 20, {
        "type": one_of("twinwrap/release/v1"), "request": hashed(REQUEST, b"twinwrap/v1/request\n"),
        "requested": members({"leaf": text(1, 65535), "proof": text(1, 80 << 10)}),
        "releases": items(0, 1000, members({"record": binary(32), "wrap": WRAP, **PROVEN}))})
    request = release["request"]
    asked, released = request["records"], [key["record"] for key in release["releases"]]
    need(request["authority"] == authority["origin"], "the request is for another authority")
    need(timedelta(0) < request["expires"] - request["created"] <= timedelta(days=366),
         "the request does not expire within 366 days")
    need(all(list_ == sorted(set(list_)) for list_ in (asked, released))
         and set(released) <= set(asked), "the records are not in order, or not those asked for")
    request_id = base64.b32encode(request["hash"]).decode().lower()[:26]
    recipient = sha256(request["recipient"])
    need(recipient not in authority["wraps"], "the release is for the authority's own key")
    print(f"request: {request_id} by {request['requester']} for key {recipient.hex()}")
    asked_leaf, asked_index = check_requested(release["requested"], request, authority)
    leaves, places = {}, set()
    for key in release["releases"]:
        leaf = parse_leaf(key["leaf"], "release")
        where = f"record {key['record'].hex()}"
        need(leaf["record"] == key["record"], f"{where}: its leaf is of another record")
        need(leaf["request"] == request["hash"], f"{where}: its leaf is of another request")
        need(key["wrap"]["fingerprint"] == recipient, f"{where}: it is wrapped for another key")
        need(key["wrap"]["alg"] == request["alg"], f"{where}: it is padded otherwise")
        policies = authority["policies"]
        need(not policies or leaf["policy"] in policies, f"{where}: its policy is not the authority's")
        at, waits = policies.get(leaf["policy"], (0, 0))
        need(not policies or at >= policies[asked_leaf["policy"]][0],
             f"{where}: its policy is older than its request's")
        need(checkpoint_of(key["proof"]) == checkpoint_of(release["requested"]["proof"]),
             f"{where}: its proof leads to another checkpoint than the request's")
        index, size, name = verify_proof(key["leaf"], key["proof"], authority)
        need(index not in places, f"{where}: its leaf is there twice")
        need(index > asked_index and asked_leaf["time"] <= leaf["time"] < asked_leaf["expires"],
             f"{where}: it was not released between the request and its end")
        due = max(asked_leaf["notbefore"], asked_leaf["time"] + timedelta(seconds=waits))
        need(leaf["basis"] == "emergency" or leaf["time"] >= due, f"{where}: it was released before its time")
        places.add(index)
        leaves[key["record"]] = leaf
        print(f"{where}: released by the {leaf['basis']} at {leaf['time']}, leaf {index} of {size} in {name}")
    for path in submission_paths:
        record = load_submission(path, authority)["record"]
        need(record["hash"] in leaves, f"{path}: the release has nothing for its record")
        tag = hmac.new(record["blind"], b"twinwrap/v1/recipient-tag\0" + recipient, hashlib.sha256)
        need(tag.digest() == leaves[record["hash"]]["recipient"],
             f"{path}: the log says that its key was released to another key")
        print("recipient: the log names this key for this submission")


def main(arguments):
    command = {"receipt": check_receipt, "release": check_release}.get((arguments or [""])[0])
    if command is None or len(arguments) < 3 or (command is check_receipt and len(arguments) != 4):
        print(__doc__)
        return 1
    sys.stdout.reconfigure(errors="backslashreplace")  # names have letters that a terminal may lack
    try:
        command(*arguments[1:])
    except (Refused, OSError) as problem:
        print(f"refused: {problem}")
        return 1
    print("good")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
