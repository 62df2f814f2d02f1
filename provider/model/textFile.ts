import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

import { messageOf, MirrorError } from "./errors";
import { localPath } from "./localPath";

/**
 * Reads a small text file of the admin's machine (a certificate, a key, a Docker config).
 *
 * @throws MirrorError `FILE_UNREADABLE` naming the argument, the path as given and where it was looked for
 */
export function readTextFile(path: string, argument: string): string {
  return readBytes(path, argument).toString("utf8");
}

/** The same for a file that may be no text. */
export function readBytes(path: string, argument: string): Buffer {
  const full = localPath(path);
  const where = full === path ? path : `${path} (that is ${full})`;
  try {
    if (!statSync(full).isFile()) {
      throw new Error("it is not a file");
    }
    return readFileSync(full);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : messageOf(error);
    throw new MirrorError(
      "FILE_UNREADABLE",
      `${argument}: cannot read ${where}: ${why}. Give the path of a readable file on the machine that runs Pulumi.`,
    );
  }
}

/**
 * Checks that a text is one or more PEM certificates, and gives it back with one newline at its end.
 *
 * @throws MirrorError `CA_INVALID`
 */
function checkCertificates(text: string, argument: string): string {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const way = "Give the CA certificate in PEM form (a text that begins with -----BEGIN CERTIFICATE-----).";
  if (text.includes("PRIVATE KEY-----")) {
    throw new MirrorError("CA_INVALID", `${argument}: holds a private key. ${way} The key must stay where it is.`);
  }
  if (blocks.length === 0) {
    throw new MirrorError("CA_INVALID", `${argument}: holds no PEM certificate. ${way}`);
  }
  for (const [n, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw new MirrorError(
        "CA_INVALID",
        `${argument}: certificate ${n + 1} of ${blocks.length} cannot be read: ${messageOf(error)}. ${way}`,
      );
    }
  }
  return `${blocks.map((block) => block.replaceAll("\r\n", "\n").trim()).join("\n")}\n`;
}

/**
 * The CA certificates of a mirror or a private registry, from `caCertPath` or `caCert`; undefined where it has none
 * of its own.
 *
 * @throws MirrorError `CA_TWICE`, `CA_INVALID`, `FILE_UNREADABLE`
 */
export function readCertificates(
  { caCert, caCertPath }: { caCert?: string; caCertPath?: string },
  argument: string,
): string | undefined {
  if (caCert !== undefined && caCertPath !== undefined) {
    throw new MirrorError("CA_TWICE", `${argument}: both caCert and caCertPath are given; leave one of them out.`);
  }
  if (caCertPath !== undefined && caCertPath !== "") {
    const where = `${argument}.caCertPath`;
    return checkCertificates(readTextFile(caCertPath, where), `${where} ${caCertPath}`);
  }
  return caCert === undefined || caCert === "" ? undefined : checkCertificates(caCert, `${argument}.caCert`);
}
