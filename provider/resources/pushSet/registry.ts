import type { Problem } from "../../model/problem";
import { readCertificates } from "../../model/textFile";
import type { RegistryEndpoint } from "../../registry/endpoint";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { CheckedArguments, Resolved } from "../arguments/resolved";
import { attemptWith } from "../arguments/resolved";
import { shapes } from "./shapes";

/** `registry.endpoint`. */
export function resolveEndpoint(endpoint: string): Resolved<RegistryEndpoint> {
  return attemptWith(endpoint, shapes.endpoint, "registry.endpoint", () => parseRegistryEndpoint(endpoint));
}

/** The registry's own CA; undefined where it has none. */
export function resolveCa(args: { caCert?: string; caCertPath?: string }): Resolved<string | undefined> {
  return attemptWith(args, shapes.ca, "registry", () => readCertificates(args, "registry"));
}

/** What is given of the credentials: of the secret ones only whether they are. */
export interface GivenCredentials {
  username?: string;
  dockerConfigPath?: string;
  withPassword: boolean;
}

export function checkCredentials({ username, dockerConfigPath, withPassword }: GivenCredentials): CheckedArguments {
  const problems: Problem[] = [];
  if (dockerConfigPath !== undefined && (username !== undefined || withPassword)) {
    const text = "registry: both dockerConfigPath and username or password are given; leave one of them out.";
    problems.push({ code: "CREDENTIALS_TWICE", text });
  }
  if ((username !== undefined) !== withPassword) {
    const half = withPassword ? "password without username" : "username without password";
    problems.push({ code: "CREDENTIALS_INCOMPLETE", text: `registry: ${half}; give both, or neither.` });
  }
  return { problems };
}

/** A proxy's URL may carry a password. */
export function isSecretProxy(url: unknown): boolean {
  return typeof url === "string" && url.includes("@");
}
