import { wrongKind } from "../arguments.js";
import { RsaPrivateKey } from "./rsa.js";

/** @throws TwinwrapError BAD_ARGUMENT unless it is a private key that core.rsaPrivateKey() made */
export function needPrepared(value: unknown, what: string): RsaPrivateKey {
  if (value instanceof RsaPrivateKey) return value;
  throw wrongKind(value, what, "what core.rsaPrivateKey() gives");
}
