import { readFileSync } from "node:fs";
import { join } from "node:path";

import { must } from "./execute";

/** A key pair on disk. */
export interface SshKey {
  readonly privateKeyPath: string;
  /** One line, "ssh-ed25519 AAAA...". */
  readonly publicKey: string;
}

/** The keys a lab's user has. */
export interface ClientKeys {
  readonly plain: SshKey;
  /** The same rights, but the file is encrypted. */
  readonly encrypted: SshKey & { readonly passphrase: string };
  /** A key no node knows. */
  readonly stranger: SshKey;
  /** Signs every node's host key, for @cert-authority lines of known_hosts. */
  readonly hostAuthority: SshKey;
}

async function createKey(path: string, passphrase = ""): Promise<SshKey> {
  // ssh-keygen takes a passphrase as an argument only; this one guards nothing but a lab that lives for minutes.
  await must("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-C", "registry-mirror-lab", "-f", path]);
  return {
    privateKeyPath: path,
    publicKey: readFileSync(`${path}.pub`, "utf8").trim().split(" ").slice(0, 2).join(" "),
  };
}

export async function createClientKeys(folder: string, passphrase: string): Promise<ClientKeys> {
  const [plain, encrypted, stranger, hostAuthority] = await Promise.all([
    createKey(join(folder, "id_ed25519")),
    createKey(join(folder, "id_ed25519_encrypted"), passphrase),
    createKey(join(folder, "id_stranger")),
    createKey(join(folder, "host_authority")),
  ]);
  return { plain, encrypted: { ...encrypted, passphrase }, stranger, hostAuthority };
}

/** Makes a node's host key and has the authority sign it. */
export async function createHostKey(path: string, authority: SshKey, principals: readonly string[]): Promise<SshKey> {
  const key = await createKey(path);
  await must("ssh-keygen", [
    "-q",
    "-s",
    authority.privateKeyPath,
    "-I",
    "registry-mirror-lab",
    "-h",
    "-n",
    principals.join(","),
    `${path}.pub`,
  ]);
  return key;
}
