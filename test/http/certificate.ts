import { webcrypto } from "node:crypto";

// A certificate for this machine. The package that makes it asks for Reflect's metadata, and brings none: it keeps one
// thing about a class under a name, and no more is needed.

const kept = new WeakMap<object, Map<unknown, unknown>>();
const of = (target: object) => {
  if (!kept.has(target)) kept.set(target, new Map());
  return kept.get(target)!;
};
const metadata = {
  defineMetadata: (name: unknown, value: unknown, target: object) => of(target).set(name, value),
  getOwnMetadata: (name: unknown, target: object) => of(target).get(name),
  getMetadata: (name: unknown, target: object) => of(target).get(name),
  hasOwnMetadata: (name: unknown, target: object) => of(target).has(name),
  metadata: (name: unknown, value: unknown) => (target: object) => void of(target).set(name, value),
};
if (!("getMetadata" in Reflect)) Object.assign(Reflect, metadata);

/** @returns certificate and private key, PEM */
export async function makeCertificate(name = "localhost"): Promise<{ cert: string; key: string }> {
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto as Crypto);
  const alg = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const keys = (await webcrypto.subtle.generateKey(alg, true, ["sign", "verify"])) as CryptoKeyPair;
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: alg,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ]),
      new x509.BasicConstraintsExtension(true),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: made.toString("pem"), key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}
