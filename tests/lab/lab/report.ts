import { type ImagePackages, packageSize } from "./imagePackages";
import type { LabDescription } from "./labDescription";

/** A running lab in words, for a person who wants to try a program of his own on it. */
export function describeForPeople(lab: LabDescription): string {
  const first = lab.nodes[0];
  const port = first && first.port !== 22 ? `-p ${first.port} ` : "";
  const out: string[] = [`Lab ${lab.instance}, everything below ${lab.runDir}`, "", "Nodes"];
  for (const node of lab.nodes) {
    out.push(`  ${node.name.padEnd(14)} ${node.address}:${node.port}  containerd ${node.containerdVersion}`);
    out.push(`  ${"".padEnd(14)} host key ${node.hostKey}`, `  ${"".padEnd(14)} ${node.hostKeyFingerprint}`);
  }
  out.push(
    "",
    "Logging in",
    `  private key    ${lab.keys.plain.privateKeyPath}   (users root; admin: sudo; guest: no sudo)`,
    `  the same, encrypted ${lab.keys.encrypted.privateKeyPath}   passphrase ${lab.keys.encrypted.passphrase}`,
    `  password user  ${lab.users.deploy.name} / ${lab.users.deploy.password}   (sudo)`,
    `  known_hosts    ${lab.knownHostsPath}`,
    `  signs host keys ${lab.keys.hostAuthority.publicKey}`,
  );
  if (first)
    out.push(
      `  try            ssh ${port}-i ${lab.keys.plain.privateKeyPath} -o UserKnownHostsFile=${lab.knownHostsPath} root@${first.address} ctr version`,
    );
  out.push("", "Registries");
  for (const registry of lab.registries) {
    const auth =
      registry.auth === "none" ? "no credentials" : `${registry.auth}: ${registry.username} / ${registry.password}`;
    out.push(`  ${registry.name.padEnd(14)} ${registry.endpoint}   ${auth}`);
    if (registry.caCertPath) out.push(`  ${"".padEnd(14)} CA ${registry.caCertPath}`);
    out.push(`  ${"".padEnd(14)} access log ${registry.folder}/access.log`);
  }
  out.push(`  public hosts   ${lab.publicHosts.join(", ")}: on the nodes these names mean the registry "public"`);
  out.push("", "Image packages");
  for (const [kind, value] of Object.entries(lab.packages) as [
    keyof ImagePackages,
    ImagePackages[keyof ImagePackages],
  ][]) {
    out.push(
      `  ${kind.padEnd(14)} ${value.path}  (${value.images.length} images, ${(packageSize(value.path) / 1e6).toFixed(1)} MB)`,
    );
  }
  for (const image of lab.packages.folder.images)
    out.push(
      `  ${"".padEnd(14)} ${image.name} ${image.digest}${image.platforms ? ` (${image.platforms.map((entry) => entry.platform).join(", ")})` : ""}`,
    );
  const option = lab.instance === 0 ? "" : ` --instance ${lab.instance}`;
  out.push("", `npm run lab -- status${option} prints this again, npm run lab -- down${option} ends it.`);
  return out.join("\n");
}
