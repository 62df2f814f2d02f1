import type { DesiredHost, HostAccess } from "../../containerd/desired";
import { upstreamAuthority } from "../../containerd/hostNames";
import { hostProblems } from "../../containerd/plan/checkDesired";
import { MirrorError } from "../../model/errors";
import { readCertificates } from "../../model/textFile";
import type { DeclaredPrivateRegistry } from "./declared";

/**
 * Adds private registries to the hosts: alone, or behind the mirrors of the same host. Their CAs go to the
 * other texts.
 *
 * @throws MirrorError naming the registry by its place in the list, the value and the way out
 */
export function addPrivateRegistries(
  list: readonly DeclaredPrivateRegistry[],
  byHost: Map<string, DesiredHost>,
  cas: Record<string, string>,
  hostsDir: string,
): void {
  for (const [n, registry] of list.entries()) {
    const argument = `privateRegistries[${n}]`;
    const { host } = registry;
    const problem = privateHostProblem(host);
    if (problem !== undefined) {
      throw new MirrorError("HOST_INVALID", `${argument}.host: ${problem}.`);
    }
    const twin = list.findIndex((other) => other.host === host);
    if (twin < n) {
      const message = `privateRegistries[${twin}] and ${argument} are both "${host}"; make them one.`;
      throw new MirrorError("MIRRORS_CONFLICT", message);
    }
    const ca = readCertificates(registry, argument);
    const access = accessOf(registry, argument, ca === undefined ? undefined : `${hostsDir}/${host}/ca.crt`);
    if (access.caPath !== undefined && ca !== undefined) {
      if ((cas[access.caPath] ?? ca) !== ca) {
        throw new MirrorError(
          "MIRRORS_CONFLICT",
          `${argument}: ${host} is a mirror too, with another CA there; a node keeps one for a host and port, so make ` +
            "them the same.",
        );
      }
      cas[access.caPath] = ca;
    }
    byHost.set(host, { ...(byHost.get(host) ?? { host, mirrors: [], skipFallback: false }), access });
  }
}

/**
 * Why a text names no private registry, and what to write; undefined for one that does. Also for what a program
 * without types gives.
 */
export function privateHostProblem(host: unknown): string | undefined {
  if (typeof host !== "string" || host === "") {
    return "it is missing; give the registry as it stands in image names, such as registry.example:5007";
  }
  if (host === "_default" || host === "*") {
    return `"${host}" stands for many hosts, and a CA or credentials are for one; name each private registry`;
  }
  const [problem] = hostProblems(host);
  // In an image's name, a first part without a dot and without a port is a folder on docker.io.
  const isName = /[.:]/.test(host) || host === "localhost";
  return problem ?? (isName ? undefined : `"${host}" needs its port, as in ${host}:5000`);
}

function accessOf(
  { host, withCredential }: DeclaredPrivateRegistry,
  argument: string,
  caPath: string | undefined,
): HostAccess {
  if (caPath === undefined && withCredential !== true) {
    throw new MirrorError(
      "PRIVATE_REGISTRY_EMPTY",
      `${argument}: ${host} has neither a CA (caCertPath) nor credentials (pullCredentialConfigPath): nodes pull from ` +
        "it as they are, so leave it out.",
    );
  }
  return {
    ...(caPath === undefined ? {} : { caPath }),
    ...(withCredential === true ? { credential: upstreamAuthority(host) ?? host } : {}),
  };
}
