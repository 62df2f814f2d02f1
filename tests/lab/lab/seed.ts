import { randomBytes } from "node:crypto";
import { appendFileSync, chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { LabUsers, NodeDescription } from "./labDescription";
import type { ClientKeys } from "./sshKeys";

export interface SeedFacts {
  readonly keys: ClientKeys;
  readonly users: LabUsers;
  readonly publicCaPath: string;
  /** Name -> address, for /etc/hosts. */
  readonly names: Readonly<Record<string, string>>;
  readonly deadResolver: string;
}

/** /etc/hosts of a node. */
export function hostsFile(nodeName: string, names: Readonly<Record<string, string>>): string {
  const rows = Object.entries(names).map(([name, address]) => `${address} ${name}\n`);
  return `127.0.0.1 localhost ${nodeName}\n::1 localhost\n${rows.join("")}`;
}

/** Writes what makes a node that node, into its root before it boots. */
export function seedNode(root: string, node: NodeDescription, facts: SeedFacts): void {
  const write = (path: string, text: string, mode = 0o644): void => {
    writeFileSync(join(root, path), text, { mode });
    chmodSync(join(root, path), mode);
  };
  write("etc/hostname", `${node.name}\n`);
  write("etc/machine-id", `${randomBytes(16).toString("hex")}\n`, 0o444);
  write("etc/hosts", hostsFile(node.name, facts.names));
  // Names that are not in /etc/hosts must fail at once: no lookup may leave the machine.
  write("etc/resolv.conf", `nameserver ${facts.deadResolver}\noptions timeout:1 attempts:1\n`);
  appendFileSync(join(root, "etc/ssl/certs/ca-certificates.crt"), readFileSync(facts.publicCaPath));

  for (const suffix of ["", ".pub", "-cert.pub"])
    copyFileSync(join(node.folder, `host_key${suffix}`), join(root, `etc/ssh/ssh_host_ed25519_key${suffix}`));
  chmodSync(join(root, "etc/ssh/ssh_host_ed25519_key"), 0o600);
  write(
    "etc/ssh/sshd_config.d/lab.conf",
    [
      `ListenAddress ${node.address}:${node.port}`,
      "HostKey /etc/ssh/ssh_host_ed25519_key",
      "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub",
      "PermitRootLogin prohibit-password",
      "PasswordAuthentication yes",
      "AllowStreamLocalForwarding yes",
      "AllowTcpForwarding yes",
      "UseDNS no",
      "MaxStartups 100:30:200",
      // Newer servers punish an address for failed log-ins; here all clients share one.
      ...(node.release === "bookworm" || node.release === "trixie" ? [] : ["PerSourcePenalties no"]),
      `Match User ${facts.users.deploy.name}`,
      "  PubkeyAuthentication no",
      "",
    ].join("\n"),
    0o600,
  );

  authorise(root, "root", facts.keys);
  authorise(root, `home/${facts.users.admin.name}`, facts.keys);
  authorise(root, `home/${facts.users.guest.name}`, facts.keys);
  const shadow = readFileSync(join(root, "etc/shadow"), "utf8").replace(
    new RegExp(`^${facts.users.deploy.name}:[^:]*:`, "m"),
    () => `${facts.users.deploy.name}:${facts.users.deploy.shadow}:`,
  );
  writeFileSync(join(root, "etc/shadow"), shadow);
}

function authorise(root: string, home: string, keys: ClientKeys): void {
  const folder = join(root, home, ".ssh");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "authorized_keys");
  writeFileSync(file, `${keys.plain.publicKey}\n${keys.encrypted.publicKey}\n`, { mode: 0o600 });
  const owner = /^home\/(\w+)$/.exec(home)?.[1];
  if (owner === undefined) return;
  const row = readFileSync(join(root, "etc/passwd"), "utf8")
    .split("\n")
    .find((line) => line.startsWith(`${owner}:`));
  const [, , uid, gid] = (row ?? "").split(":");
  for (const path of [folder, file]) chownSync(path, Number(uid), Number(gid));
}
