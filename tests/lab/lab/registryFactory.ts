import { mkdirSync, writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";

import { type CertificateAuthority, type CertificateOptions, createAuthority, issueCertificate } from "./certificates";
import { registryProgram } from "./install";
import { cacheDir } from "./instance";
import { LabError } from "./labError";
import { portIsFree } from "./ports";
import { type RegistryAuth, type RegistryDescription, writeRegistryConfig } from "./registry";
import { runTypeScript } from "./runTypeScript";
import { htpasswdLine, randomSecret } from "./secrets";
import type { TokenServerConfig } from "./tokenServer";

/** A registry to start. */
export interface RegistrySpec {
  /** Unique in the lab; folder and log carry it. */
  readonly name: string;
  /** Default: the next free address of the mirrors' network. "::1" is possible. */
  readonly address?: string;
  /** Default 5000. */
  readonly port?: number;
  /** Default https with a certificate of the private authority; "public" signs with the one the nodes trust. */
  readonly tls?: "private" | "public" | "none";
  readonly auth?: RegistryAuth;
  readonly username?: string;
  readonly password?: string;
  /** With auth "token": a token without credentials may pull. Default false. */
  readonly anonymousPull?: boolean;
  /** With auth "token": seconds a token holds; default 300. */
  readonly tokenLifetime?: number;
  /** Whether manifests may have layers with URLs of their own, which the registry refuses by default. */
  readonly layerUrls?: boolean;
  /** Further names for the certificate. */
  readonly names?: readonly string[];
  /** A certificate that is wrong on purpose. */
  readonly certificate?: CertificateOptions & { readonly names?: readonly string[] };
}

/** What a registry needs to know of its lab. */
export interface Surroundings {
  readonly runDir: string;
  readonly cgroup: string;
  readonly privateAuthority: CertificateAuthority;
  readonly publicAuthority: CertificateAuthority;
  readonly log: (line: string) => void;
}

/** Writes certificate, password file and configuration of a registry; nothing is started yet. */
export async function describeRegistry(
  lab: Surroundings,
  spec: RegistrySpec & { readonly address: string },
): Promise<RegistryDescription> {
  const { address } = spec;
  const port = spec.port ?? 5000;
  const hostPort = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
  const scheme = spec.tls === "none" ? "http" : "https";
  const auth = spec.auth ?? "none";
  if (!(await portIsFree(address, port))) {
    throw new LabError(
      "LAB_PORT",
      `the registry "${spec.name}" needs ${hostPort}, which another program of this machine holds (a server that listens on all addresses?): stop that program`,
    );
  }
  const folder = join(lab.runDir, "registries", spec.name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = spec.tls === "public" ? lab.publicAuthority : lab.privateAuthority;
  const names = [address, ...(spec.names ?? [])];
  const tls =
    scheme === "http"
      ? undefined
      : await issueCertificate(authority, folder, "server", spec.certificate?.names ?? names, spec.certificate);
  const credentials =
    auth === "none"
      ? {}
      : { username: spec.username ?? "mirror-user", password: spec.password ?? randomSecret(`password-${spec.name}`) };
  const helpers: RegistryDescription["helpers"][number][] = [];
  let authConfig: Record<string, Record<string, string>> | undefined;
  if (auth === "basic" && credentials.username !== undefined) {
    const file = join(folder, "htpasswd");
    writeFileSync(file, await htpasswdLine(credentials.username, credentials.password), { mode: 0o600 });
    authConfig = { htpasswd: { realm: "registry mirror lab", path: file } };
  }
  if (auth === "token" && credentials.username !== undefined) {
    const server = tls ?? (await issueCertificate(lab.privateAuthority, folder, "server", names));
    const token = await describeTokenServer(spec, folder, address, port + 1, server, {
      [credentials.username]: credentials.password,
    });
    helpers.push(token.helper);
    authConfig = { token: token.config };
  }
  const program = await registryProgram(cacheDir(), lab.log);
  const config = join(folder, "config.yml");
  writeRegistryConfig(config, {
    address,
    port,
    dataDir: join(folder, "data"),
    secret: randomSecret("http"),
    ...(tls ? { tls } : {}),
    ...(authConfig ? { auth: authConfig } : {}),
    ...(spec.layerUrls === undefined ? {} : { layerUrls: spec.layerUrls }),
  });
  return {
    name: spec.name,
    address,
    port,
    scheme,
    hostPort,
    endpoint: `${scheme}://${hostPort}`,
    auth,
    ...credentials,
    ...(scheme === "https" ? { caCertPath: authority.certPath } : {}),
    names: spec.names ?? [],
    folder,
    group: `${lab.cgroup}/registry-${spec.name}`,
    command: [program, "serve", config],
    helpers,
  };
}

async function describeTokenServer(
  spec: RegistrySpec,
  folder: string,
  address: string,
  port: number,
  server: { certPath: string; keyPath: string },
  users: Record<string, string>,
): Promise<{ helper: RegistryDescription["helpers"][number]; config: Record<string, string> }> {
  const signing = await createAuthority(folder, "token-signing");
  const service = `lab-${spec.name}`;
  const settings: TokenServerConfig = {
    address,
    port,
    ...server,
    signingCertPath: signing.certPath,
    signingKeyPath: signing.keyPath,
    issuer: "registry-mirror-lab",
    service,
    users,
    anonymousPull: spec.anonymousPull ?? false,
    lifetime: spec.tokenLifetime ?? 300,
  };
  const file = join(folder, "token-server.json");
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  const realm = `https://${isIPv6(address) ? `[${address}]` : address}:${port}/token`;
  return {
    helper: {
      name: "token-server",
      command: [...runTypeScript(), join(__dirname, "tokenServer.ts"), file],
      address,
      port,
    },
    config: { realm, service, issuer: settings.issuer, rootcertbundle: signing.certPath },
  };
}
