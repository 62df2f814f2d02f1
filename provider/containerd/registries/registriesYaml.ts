import { parseDocument } from "yaml";

import { ContainerdError } from "../containerdError";

/** What registries.yaml of k3s and RKE2 says (pkg/registries of rancher/wharfie), as far as hosts.toml files come of it. */
export interface Registries {
  /** By namespace; `*` for all others. */
  mirrors: Record<string, RegistriesMirror>;
  /** By the host that is asked. */
  configs: Record<string, RegistriesConfig>;
}

export interface RegistriesMirror {
  /** Asked in this order, as written. */
  endpoints: string[];
  /** Pattern -> replacement, of repository names. */
  rewrites: Record<string, string>;
}

export interface RegistriesConfig {
  tls?: { caFile: string; certFile: string; keyFile: string; insecureSkipVerify: boolean };
  /** A credential, which lands in containerd's own configuration; empty texts where it has another form. */
  auth?: { username: string; password: string };
}

type Fields = Record<string, unknown>;

/**
 * @param text undefined where there is no such file
 * @throws ContainerdError CONTAINERD_REGISTRIES for what k3s could not read either
 */
export function readRegistries(text: string | undefined, path: string): Registries {
  const doc = parseDocument(text ?? "", { version: "1.1", uniqueKeys: true });
  const [error] = doc.errors;
  if (error !== undefined) {
    throw new ContainerdError(
      "CONTAINERD_REGISTRIES",
      `${path} is no valid YAML: ${(error.message.split("\n")[0] ?? "").replace(/:$/, "")}; mend that line, and run again`,
    );
  }
  const said = fields(doc.toJS() as unknown, path);
  const mirrors = Object.entries(fields(said["mirrors"], `${path}: mirrors`)).map(([host, value]) => {
    const mirror = fields(value, `${path}: mirrors."${host}"`);
    const endpoints = texts(mirror["endpoint"], `${path}: mirrors."${host}".endpoint`);
    const rewrites = fields(mirror["rewrite"], `${path}: mirrors."${host}".rewrite`);
    return [
      host,
      { endpoints, rewrites: Object.fromEntries(Object.entries(rewrites).map(([key, to]) => [key, scalarText(to)])) },
    ] as const;
  });
  const configs = Object.entries(fields(said["configs"], `${path}: configs`)).map(([host, value]) => {
    const where = `${path}: configs."${host}"`;
    const config = fields(value, where);
    const tls = fields(config["tls"], `${where}.tls`);
    const text = (key: string): string => scalarText(tls[key]);
    return [
      host,
      {
        ...(config["auth"] === undefined || config["auth"] === null ? {} : { auth: authOf(config["auth"], where) }),
        ...(config["tls"] === undefined || config["tls"] === null
          ? {}
          : {
              tls: {
                caFile: text("ca_file"),
                certFile: text("cert_file"),
                keyFile: text("key_file"),
                insecureSkipVerify: tls["insecure_skip_verify"] === true,
              },
            }),
      },
    ] as const;
  });
  return { mirrors: Object.fromEntries(mirrors), configs: Object.fromEntries(configs) };
}

function authOf(value: unknown, where: string): { username: string; password: string } {
  const auth = fields(value, `${where}.auth`);
  return { username: scalarText(auth["username"]), password: scalarText(auth["password"]) };
}

function fields(value: unknown, where: string): Fields {
  if (value === undefined || value === null) {
    return {};
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new ContainerdError("CONTAINERD_REGISTRIES", `${where} is no map`);
  }
  return value as Fields;
}

function texts(value: unknown, where: string): string[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new ContainerdError("CONTAINERD_REGISTRIES", `${where} is no list`);
  }
  return value.map(scalarText);
}

/** As YAML's scalars become texts there. */
function scalarText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}
