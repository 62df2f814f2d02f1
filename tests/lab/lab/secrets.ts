import { randomBytes } from "node:crypto";

import { must } from "./execute";

/** A password that is found by grep wherever it leaks. */
export function randomSecret(label: string): string {
  return `${label}-${randomBytes(12).toString("hex")}`;
}

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * A htpasswd line with bcrypt, which is all the registry takes. Perl's crypt is libcrypt's and part of every Debian.
 * Cost 4, the least: the registry computes it for each request.
 */
export async function htpasswdLine(user: string, password: string): Promise<string> {
  const salt = [...randomBytes(22)].map((byte, index) => (index === 21 ? "u" : bcryptAlphabet[byte % 64])).join("");
  const result = await must("perl", ["-e", 'my $p = <STDIN>; print crypt($p, "\\$2y\\$04\\$" . $ARGV[0])', salt], {
    input: password,
  });
  return `${user}:${result.stdout.trim()}\n`;
}

/** A password in the form of /etc/shadow. */
export async function shadowHash(password: string): Promise<string> {
  return (await must("openssl", ["passwd", "-6", "-stdin"], { input: password })).stdout.trim();
}
