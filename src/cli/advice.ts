import { StoreError, type StoreProblem } from "../authority/store/store-error.js";
import type { ErrorCode, TwinwrapError } from "../errors.js";
import { ForeignKeyError, type ForeignKind } from "../keys/foreign.js";

// What people can do about an error, with flags and commands. The errors themselves name neither, because
// programs and the page show them too.

const BY_CODE: Partial<Record<ErrorCode, string>> = {
  WEAK_KEY: "--allow-weak accepts it",
  NO_ROOM: "sealing the file again with a key that opens it (--rewrite) makes some",
  NOT_PROVEN: "officers can allow it: twinwrap authority policy propose --unproven taken",
  BACKLOG: "run `twinwrap authority verify`",
  FENCED: "see `twinwrap authority log unfence` and `twinwrap authority log close`",
  NO_POLICY: "each officer runs `twinwrap authority policy sign`",
};

const BY_KIND: Partial<Record<ForeignKind, string>> = {
  algorithm: "make one with `twinwrap keygen`",
  lock: "lock it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in FILE -out NEW.pem",
  negative: "openssl mends it: openssl pkey -in FILE -out NEW.pem",
  openssh: "convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY (this rewrites COPY)",
  "openssh-public": "convert it: ssh-keygen -e -m PKCS8 -f FILE > NEW.pub.pem",
  putty: "export it from PuTTYgen in OpenSSH's format first",
  pkcs12: "take its key out: openssl pkcs12 -in FILE -nocerts -out NEW.pem",
  certificate: "take its public key out: openssl x509 -in FILE -noout -pubkey > NEW.pub.pem",
  "certificate-request":
    "take its public key out: openssl req -in FILE -noout -pubkey > NEW.pub.pem",
  "certificate-request-der":
    "take its public key out: openssl req -inform DER -in FILE -noout -pubkey > NEW.pub.pem",
  "utf-16": "save it as ASCII or UTF-8",
};

const BY_PROBLEM: Record<StoreProblem, string> = {
  old: "run `twinwrap authority migrate`",
  lossy:
    'change that; or, for one host, --accept-data-loss where the store is made, "acceptDataLoss": true in its store.json',
  password: "put it into a file (--store-password-file), $PGPASSWORD or ~/.pgpass",
};

/** What to do about an error; undefined if there is no advice. */
export function adviceFor(error: TwinwrapError): string | undefined {
  if (error instanceof ForeignKeyError) return BY_KIND[error.kind];
  return error instanceof StoreError ? BY_PROBLEM[error.problem] : BY_CODE[error.code];
}
