import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { SecureContext } from "node:tls";
import { createSecureContext, getCACertificates, rootCertificates } from "node:tls";

import { messageOf } from "../../model/errors";
import type { RegistryConnection } from "../connection";
import { RegistryError } from "../registryError";

/** The CA certificates a program gave for one registry. */
export interface GivenCertificates {
  /** `caCertPath "ca.crt"` or `registry.caCert`; for messages. */
  where: string;
  pem: string;
  certificates: X509Certificate[];
}

const block = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * Reads `caCert` or `caCertPath`.
 *
 * @param argument What errors call the registry.
 * @throws RegistryError `FILE_UNREADABLE`, `CA_INVALID`, `CA_TWICE`
 */
export function givenCertificates(
  connection: Pick<RegistryConnection, "caCert" | "caCertPath">,
  argument: string,
): GivenCertificates | undefined {
  const { caCert, caCertPath } = connection;
  if (caCert !== undefined && caCertPath !== undefined) {
    const text = `${argument}.caCert and ${argument}.caCertPath are both given; give one of them.`;
    throw new RegistryError("CA_TWICE", text);
  }
  if (caCert !== undefined) {
    return parseCertificates(caCert, `${argument}.caCert`);
  }
  if (caCertPath === undefined) {
    return undefined;
  }
  let text: string;
  try {
    text = readFileSync(caCertPath, "utf8");
  } catch (cause) {
    throw new RegistryError(
      "FILE_UNREADABLE",
      `caCertPath "${caCertPath}" cannot be read: ${messageOf(cause)}. Give the path of the PEM file of the CA that signed the registry's certificate.`,
      { cause },
    );
  }
  return parseCertificates(text, `caCertPath "${caCertPath}"`);
}

/** @throws RegistryError `CA_INVALID` */
function parseCertificates(text: string, where: string): GivenCertificates {
  const blocks = text.match(block) ?? [];
  if (blocks.length === 0) {
    const hint = text.includes("PRIVATE KEY")
      ? " It holds a private key, which must not be given here."
      : text.includes("CERTIFICATE REQUEST")
        ? " It holds a certificate request, not a certificate."
        : "";
    throw new RegistryError(
      "CA_INVALID",
      `${where} holds no PEM certificate (-----BEGIN CERTIFICATE-----).${hint} A DER file converts with: openssl x509 -inform der -in FILE -out ca.crt`,
    );
  }
  const certificates = blocks.map((pem, i) => {
    try {
      return new X509Certificate(pem);
    } catch (cause) {
      throw new RegistryError(
        "CA_INVALID",
        `${where}: certificate ${i + 1} of ${blocks.length} cannot be parsed: ${messageOf(cause)}.`,
        { cause },
      );
    }
  });
  return { where, pem: blocks.join("\n"), certificates };
}

/** Contexts by what was given: parsing several hundred CAs takes longer than a handshake. */
const contexts = new Map<string, SecureContext>();
const contextsKept = 16;

/** For TLS with those CAs and the machine's; one for all connections that were given the same. */
export function contextFor(given: GivenCertificates | undefined): SecureContext {
  const key = given?.pem ?? "";
  let context = contexts.get(key);
  if (context === undefined) {
    if (contexts.size >= contextsKept) {
      contexts.clear();
    }
    context = createSecureContext({ ca: [...trustedCertificates(), ...(given === undefined ? [] : [given.pem])] });
    contexts.set(key, context);
  }
  return context;
}

/** `CN=lab CA, O=x` in one line. */
export function oneLine(name: string): string {
  return name.split("\n").reverse().join(", ");
}

let trusted: string[] | undefined;

/**
 * What this machine trusts: Node's own list, NODE_EXTRA_CA_CERTS, and the system's store (where most companies put
 * their CA). The system's store takes some 50 ms to read, so once per process.
 */
function trustedCertificates(): string[] {
  if (trusted === undefined) {
    const lists: string[][] = [];
    for (const kind of ["default", "system"] as const) {
      try {
        lists.push(getCACertificates(kind));
      } catch {
        // A store that cannot be read is one less source of trust, not an error by itself.
        lists.push(kind === "default" ? [...rootCertificates] : []);
      }
    }
    trusted = [...new Set(lists.flat())];
  }
  return trusted;
}
