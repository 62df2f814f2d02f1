import { readCertificates } from "../../model/textFile";
import type { GivenCredentials } from "../../registry/auth/givenCredentials";
import { credentialProblem } from "../../registry/auth/givenCredentials";
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

export function checkCredentials(given: GivenCredentials): CheckedArguments {
  const problem = credentialProblem(given);
  return { problems: problem === undefined ? [] : [problem] };
}

/** A proxy's URL may carry a password. */
export function isSecretProxy(url: unknown): boolean {
  return typeof url === "string" && url.includes("@");
}
