import type { KeyObject } from "node:crypto";
import { createPublicKey } from "node:crypto";

/**
 * Reads a public key of any kind, in PEM form or DER.
 *
 * @param invalid Makes the error of what is none, from why.
 */
export function parsePublicKey(given: string | Buffer, invalid: (why: string) => Error): KeyObject {
  const text = given.toString("latin1");
  if (text.includes("PRIVATE KEY-----")) {
    throw invalid("it is a private key, which must stay with the signer");
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) {
    throw invalid("it is a certificate; openssl x509 -pubkey -noout prints its key");
  }
  try {
    return text.includes("-----BEGIN")
      ? createPublicKey({ key: given, format: "pem" })
      : createPublicKey({ key: Buffer.from(given as Buffer), format: "der", type: "spki" });
  } catch {
    throw invalid("it cannot be read as a public key");
  }
}
