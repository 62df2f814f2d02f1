import { X509Certificate } from "node:crypto";

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * A text with each certificate in it on one line: nobody reads base64, and whose it is, until when, and its fingerprint
 * say what a reviewer wants to know. Another certificate gives another line.
 */
export function withReadableCertificates(text: string): string {
  return text.replace(block, (pem) => {
    try {
      const { subject, validTo, fingerprint256 } = new X509Certificate(pem);
      return `certificate of ${subject.replaceAll("\n", ", ")}, valid until ${validTo}, SHA-256 ${fingerprint256}`;
    } catch {
      return pem;
    }
  });
}
