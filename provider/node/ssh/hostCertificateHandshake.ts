import type { Client } from "ssh2";

import { certificateAlgorithms, isCertificate, parseHostCertificate, plainAlgorithm } from "./hostCertificate";
import { keyTypeOf } from "./hostKey";

/**
 * ssh2 (1.17) knows plain host keys only. A certificate needs three things of its key exchange: the algorithm's name
 * must be allowed in the offer, the blob's type may differ from it (RSA), and after our own check of the certificate
 * the exchange hash covers the certificate while the signature is checked with the plain key in it. The library has no
 * door for that, so this file, and no other, reaches into it; what it needs is looked for first, and where a later
 * version lacks it host certificates are simply not offered.
 */
interface KeyExchange {
  negotiated: { serverHostKey: string };
  _hostKey: Buffer | undefined;
  parse(payload: Buffer): unknown;
}

interface ProtocolInside {
  _kex?: KeyExchange;
}

let supported: boolean | undefined;

/**
 * True when this ssh2 can be taught host certificates. Adds the names to its list of what may be asked for, never to
 * its defaults.
 */
export function hostCertificatesSupported(): boolean {
  if (supported === undefined) {
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const constants = require("ssh2/lib/protocol/constants") as { SUPPORTED_SERVER_HOST_KEY?: unknown };
      const list = constants.SUPPORTED_SERVER_HOST_KEY;
      supported = Array.isArray(list) && list.includes("ssh-ed25519");
      if (supported) {
        (list as string[]).push(...certificateAlgorithms.filter((name) => !(list as string[]).includes(name)));
      }
    } catch {
      supported = false;
    }
  }
  return supported;
}

/** Called before connecting: lets an RSA certificate (type ssh-rsa-cert…) answer to the name rsa-sha2-512-cert… */
export function watchKeyExchange(client: Client): void {
  const protocol = (client as unknown as { _protocol?: ProtocolInside })._protocol;
  if (!protocol) {
    return;
  }
  let current: KeyExchange | undefined = protocol._kex;
  Object.defineProperty(protocol, "_kex", {
    configurable: true,
    enumerable: true,
    get: () => current,
    set: (kex: KeyExchange | undefined) => {
      current = kex;
      if (
        kex &&
        kex.negotiated.serverHostKey.startsWith("rsa-sha2-") &&
        kex.negotiated.serverHostKey.includes("-cert-")
      ) {
        relaxRsaName(kex);
      }
    },
  });
}

const rsaCertificateType = "ssh-rsa-cert-v01@openssh.com";
const wanted = new WeakMap<KeyExchange, string>();

function relaxRsaName(kex: KeyExchange): void {
  wanted.set(kex, kex.negotiated.serverHostKey);
  kex.negotiated.serverHostKey = rsaCertificateType;
}

/** Called from the host verifier, after the certificate was found good: hands the plain key to the signature check. */
export function acceptHostCertificates(client: Client, blob: Buffer): void {
  if (!isCertificate(blob)) {
    return;
  }
  const kex = (client as unknown as { _protocol?: ProtocolInside })._protocol?._kex;
  if (!kex) {
    return;
  }
  const algorithm = wanted.get(kex) ?? kex.negotiated.serverHostKey;
  kex.negotiated.serverHostKey =
    keyTypeOf(blob) === rsaCertificateType && algorithm === rsaCertificateType ? "ssh-rsa" : plainAlgorithm(algorithm);
  const plain = parseHostCertificate(blob).key;
  let reads = 0;
  Object.defineProperty(kex, "_hostKey", {
    configurable: true,
    // The exchange hash reads it first and is over the certificate (K_S); what follows checks the signature.
    get: () => (reads++ === 0 ? blob : plain),
    set: () => {},
  });
}
