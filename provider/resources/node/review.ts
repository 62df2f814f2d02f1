import { X509Certificate } from "node:crypto";

import { managedComment } from "../../containerd/render/hostsToml";
import { shortDigest } from "../../model/digest";
import { messageOf } from "../../model/errors";

const certificate = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
const serverLine = /^server = "(.*)"$/m;

/**
 * A node's files as a reviewer reads them, and as the state keeps them: each text once. Of hosts.toml files that are
 * alike but for the public registry behind the mirror the first is shown in full, but for the comment that all begin
 * with; of a certificate, what it says of itself and its digest.
 */
export function reviewedFiles(files: Record<string, string>): Record<string, string> {
  const first = new Map<string, string>();
  const reviewed: Record<string, string> = {};
  for (const path of Object.keys(files).sort(modelFirst)) {
    const text = (files[path] as string).replace(`${managedComment}\n`, "");
    if (holdsCertificate(text)) {
      reviewed[path] = describeCertificates(text);
      continue;
    }
    const alike = text.replace(serverLine, "server");
    const model = first.get(alike);
    if (model === undefined) {
      first.set(alike, path);
    }
    const server = serverLine.exec(text)?.[1];
    reviewed[path] =
      model === undefined
        ? text
        : `as ${model.split("/").slice(-2).join("/")}${server === undefined ? "" : `, with server = "${server}"`}`;
  }
  return reviewed;
}

/**
 * gcr.io is always mirrored: shown in full, it leaves the lines of the others as they are when one more host comes
 * before them.
 */
function modelFirst(a: string, b: string): number {
  const [first, second] = [a, b].map((path) => path.endsWith("/gcr.io/hosts.toml"));
  return Number(second) - Number(first) || (a < b ? -1 : 1);
}

export function holdsCertificate(text: string): boolean {
  return text.includes("-----BEGIN CERTIFICATE-----");
}

function describeCertificates(text: string): string {
  const said = (text.match(certificate) ?? []).map((pem) => {
    try {
      const { subject, validTo } = new X509Certificate(pem);
      return `${subject.split("\n").reverse().join(", ")}, valid until ${validTo}`;
    } catch (error) {
      return `not readable: ${messageOf(error)}`;
    }
  });
  return [...said, shortDigest(text)].join("\n");
}
