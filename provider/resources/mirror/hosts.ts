import { createHash } from "node:crypto";

import type { DesiredHost, DesiredMirror } from "../../containerd/desired";
import { usualLayout } from "../../containerd/layout/layouts";
import { checkDesired } from "../../containerd/plan/checkDesired";
import { defaultDialTimeout, dialTimeoutProblem } from "../../containerd/plan/dialTimeout";
import { renderFiles } from "../../containerd/render/renderFiles";
import { MirrorError } from "../../model/errors";
import { readCertificates } from "../../model/textFile";
import { stableText } from "../../pulumi/plainValue";
import { mirrorUrl, parseRegistryEndpoint } from "../../registry/endpoint";
import type { Resolved } from "../arguments/resolved";
import { attemptWith } from "../arguments/resolved";
import type { DeclaredMirror, DeclaredPrivateRegistry } from "./declared";
import { addPrivateRegistries } from "./privateRegistries";
import { shapes } from "./shapes";
import type { MirrorWire } from "./wire";

type LaidOut = Pick<MirrorWire, "hosts" | "files" | "fingerprint">;

/** What every node's containerd is to do, or what is wrong with what says so. */
export function resolveHosts(
  registryMirrors: readonly DeclaredMirror[],
  hostsDir: string,
  privateRegistries: readonly DeclaredPrivateRegistry[],
): Resolved<LaidOut> {
  return attemptWith({ registryMirrors, privateRegistries }, shapes.mirrors, "", () =>
    layOutHosts(registryMirrors, hostsDir, privateRegistries),
  );
}

/** gcr.io is mirrored without being listed. */
const alwaysMirrored = "gcr.io";

/**
 * From the declared mirrors and private registries to what every node's containerd is to do, and to the files that
 * say so.
 *
 * @internal Exported for its tests.
 * @throws MirrorError naming the mirror or registry by its place in the list, the value and the way out
 */
export function layOutHosts(
  mirrors: readonly DeclaredMirror[],
  hostsDir: string,
  privateRegistries: readonly DeclaredPrivateRegistry[] = [],
): LaidOut {
  if (mirrors.length === 0 && privateRegistries.length === 0) {
    throw new MirrorError(
      "MIRRORS_EMPTY",
      "registryMirrors: the list is empty; name at least one mirror with its endpoint, or a private registry.",
    );
  }
  if (!/^\/[^\s:]*[^\s:/]$/.test(hostsDir)) {
    throw new MirrorError(
      "HOSTS_DIR_INVALID",
      `hostsDir: "${hostsDir}" is not an absolute path without blanks and colons; the usual one is ${usualLayout.hostsDir}.`,
    );
  }
  const cas: Record<string, string> = {};
  const byHost = new Map<string, DesiredHost>();
  const gcrListed = mirrors.some((mirror) => mirror.hosts?.includes(alwaysMirrored) === true);
  const unlike = new Map<string, { mirror: DeclaredMirror; n: number; ca: string | undefined }>();
  for (const [n, mirror] of mirrors.entries()) {
    const argument = `registryMirrors[${n}]`;
    const ca = readCertificates(mirror, argument);
    const desired = desiredMirror(mirror, argument, hostsDir, ca !== undefined);
    if (ca !== undefined && desired.caPath !== undefined) {
      cas[desired.caPath] = ca;
    }
    const address = parseRegistryEndpoint(mirror.endpoint).authority;
    const twin = unlike.get(address);
    if (
      twin !== undefined &&
      (twin.ca !== ca ||
        (twin.mirror.withCredential ?? false) !== (mirror.withCredential ?? false) ||
        (twin.mirror.insecure ?? false) !== (mirror.insecure ?? false))
    ) {
      throw new MirrorError(
        "MIRRORS_CONFLICT",
        `registryMirrors[${twin.n}] and ${argument}: both are ${address} but differ in CA, credentials or insecure; a node keeps these once per host and port, so make them the same.`,
      );
    }
    unlike.set(address, { mirror, n, ca });
    const own = mirror.hosts ?? [];
    const hosts = gcrListed || own.includes(alwaysMirrored) ? own : [alwaysMirrored, ...own];
    for (const host of hosts) {
      addMirror(byHost, host, desired, mirror, argument);
    }
  }
  addPrivateRegistries(privateRegistries, byHost, cas, hostsDir);
  const hosts = [...byHost.values()].map(withDialTimeouts);
  checkDesired(hosts);
  const files = renderFiles(hosts, cas, hostsDir);
  return { hosts, files, fingerprint: createHash("sha256").update(stableText({ hosts, files })).digest("hex") };
}

function addMirror(
  byHost: Map<string, DesiredHost>,
  host: string,
  desired: DesiredMirror,
  mirror: DeclaredMirror,
  argument: string,
): void {
  const skipFallback = mirror.skipFallback ?? false;
  const entry = byHost.get(host);
  if (entry === undefined) {
    byHost.set(host, { host, mirrors: [desired], skipFallback });
    return;
  }
  if (entry.skipFallback !== skipFallback) {
    throw new MirrorError(
      "MIRRORS_CONFLICT",
      `${argument}: host "${host}" is also claimed by ${entry.mirrors.map((m) => m.endpoint).join(", ")}, with skipFallback ${entry.skipFallback} there and ${skipFallback} here; ` +
        "whether the public registry may be asked holds for a host as a whole, so give both the same, or take the host off one of them.",
    );
  }
  if (entry.mirrors.some((other) => other.endpoint === desired.endpoint)) {
    throw new MirrorError(
      "MIRRORS_CONFLICT",
      `${argument}: host "${host}" has the mirror ${desired.endpoint} twice; take one away.`,
    );
  }
  entry.mirrors.push(desired);
}

/**
 * C15: a mirror that somebody can stand in for is given up soon. It is part of the declaration, not of the rendering:
 * what a state of an earlier version says is drawn as it was.
 */
function withDialTimeouts(host: DesiredHost): DesiredHost {
  const mirrors = host.mirrors.map((mirror, n) => {
    const isLast = n === host.mirrors.length - 1 && host.skipFallback;
    return mirror.dialTimeout !== undefined || isLast ? mirror : { ...mirror, dialTimeout: defaultDialTimeout };
  });
  return { ...host, mirrors };
}

function desiredMirror(mirror: DeclaredMirror, argument: string, hostsDir: string, withCa: boolean): DesiredMirror {
  const slow = mirror.dialTimeout === undefined ? undefined : dialTimeoutProblem(mirror.dialTimeout);
  if (slow !== undefined) {
    const message = `${argument}.dialTimeout: ${slow}. Write a number, such as 1 or 0.5.`;
    throw new MirrorError("DIAL_TIMEOUT_INVALID", message);
  }
  try {
    const endpoint = parseRegistryEndpoint(mirror.endpoint);
    if (!/^https?:\/\//.test(mirror.endpoint)) {
      throw new MirrorError("ENDPOINT_INVALID", `"${mirror.endpoint}" has no scheme; write https://${mirror.endpoint}`);
    }
    // bmctl's rule: a namespace stands behind /v2/ (facts of its documentation); anything else would be asked at
    // another place.
    const path = mirror.endpoint.replace(/^https?:\/\/[^/]+/, "").replace(/\/+$/, "");
    if (path !== "" && path !== "/v2" && !path.startsWith("/v2/")) {
      throw new MirrorError(
        "ENDPOINT_INVALID",
        `"${mirror.endpoint}": a namespace stands behind /v2/; write ${mirror.endpoint.replace(path, `/v2${path}`)}`,
      );
    }
    const address = endpoint.authority;
    return {
      endpoint: mirrorUrl(endpoint),
      ...(withCa ? { caPath: `${hostsDir}/${address}/ca.crt` } : {}),
      ...(mirror.insecure === true ? { insecure: true } : {}),
      ...(mirror.withCredential === true ? { credential: address } : {}),
      ...(mirror.dialTimeout === undefined ? {} : { dialTimeout: mirror.dialTimeout }),
    };
  } catch (error) {
    if (error instanceof MirrorError) {
      throw new MirrorError(error.code, `${argument}.endpoint: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
