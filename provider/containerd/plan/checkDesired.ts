import { isIP } from "node:net";

import { ContainerdError } from "../containerdError";
import type { DesiredHost, DesiredMirror, HostAccess } from "../desired";
import { parseEndpointUrl, upstreamAuthority } from "../hostNames";
import { dialTimeoutProblem } from "./dialTimeout";

/**
 * Refuses a declaration that contradicts itself, before anything is touched. All findings at once, one a line in
 * `reasons`.
 *
 * @throws ContainerdError CONTAINERD_DESIRED (a value that cannot be right), CONTAINERD_CONFLICT (two values that
 * cannot both be)
 */
export function checkDesired(hosts: DesiredHost[]): void {
  const wrong: string[] = [];
  const conflicts: string[] = [];
  const places = new Map<string, DesiredMirror>();
  const seen = new Set<string>();

  for (const host of hosts) {
    if (seen.has(host.host)) {
      conflicts.push(
        `host ${host.host} is declared twice; list it once, with its mirrors in the order they are to be asked`,
      );
    }
    seen.add(host.host);
    wrong.push(...hostProblems(host.host));
    const endpoints = new Set<string>();
    for (const mirror of host.mirrors) {
      if (endpoints.has(mirror.endpoint)) {
        conflicts.push(`host ${host.host} lists the mirror ${mirror.endpoint} twice`);
      }
      endpoints.add(mirror.endpoint);
      wrong.push(...mirrorProblems(mirror, host.host));
      const authority = parseEndpointUrl(mirror.endpoint)?.authority;
      if (authority !== undefined) {
        const other = places.get(authority);
        if (other === undefined) {
          places.set(authority, mirror);
        } else {
          conflicts.push(...differences(authority, other, mirror));
        }
      }
    }
  }
  for (const host of hosts) {
    if (host.mirrors.length === 0 && host.access === undefined && !places.has(host.host)) {
      wrong.push(`host ${host.host} has no mirror; give it one, or leave the host out`);
    }
    if (host.access !== undefined) {
      const found = accessProblems(host, host.access, places.get(upstreamAuthority(host.host) ?? host.host));
      wrong.push(...found.wrong);
      conflicts.push(...found.conflicts);
    }
  }

  const reasons = [...new Set([...wrong, ...conflicts])];
  if (reasons.length > 0) {
    throw new ContainerdError(
      wrong.length > 0 ? "CONTAINERD_DESIRED" : "CONTAINERD_CONFLICT",
      `the registry mirrors cannot be configured as declared: ${reasons.join("; ")}`,
      { reasons },
    );
  }
}

/**
 * What a private registry cannot be. `mirror` is one at the same place: a node keeps CA and credential once for a
 * host and port.
 */
function accessProblems(
  { host, mirrors, skipFallback }: DesiredHost,
  { caPath, credential }: HostAccess,
  mirror: DesiredMirror | undefined,
): { wrong: string[]; conflicts: string[] } {
  const wrong: string[] = [];
  const conflicts: string[] = [];
  if (host === "_default") {
    wrong.push(
      "_default is no private registry: it stands for many hosts, and a CA or credentials are for one; name it",
    );
  }
  if (caPath === undefined && credential === undefined) {
    wrong.push(`private registry ${host} has neither a CA nor credentials; give it one of them, or leave it out`);
  }
  if (caPath !== undefined && !isAbsolutePath(caPath)) {
    wrong.push(`private registry ${host}: the CA's path on the node must be absolute, not "${caPath}"`);
  }
  if (mirrors.length > 0 && skipFallback) {
    conflicts.push(
      `private registry ${host} is never asked: it is mirrored with skipFallback; take it out of privateRegistries, ` +
        "or let skipFallback be false for it",
    );
  }
  const isLess = (own: string | undefined, other: string | undefined): boolean => own !== undefined && own !== other;
  if (mirror !== undefined && (isLess(caPath, mirror.caPath) || isLess(credential, mirror.credential))) {
    conflicts.push(
      `private registry ${host} is the mirror ${mirror.endpoint}, which has no such CA or credentials: a node keeps ` +
        "these once for a host and port; give them to the mirror, which is then pulled from by its own name too",
    );
  }
  return { wrong, conflicts };
}

function isAbsolutePath(path: string): boolean {
  return path.startsWith("/") && !path.split("/").includes("..");
}

/** What is wrong with the name of a host, and what to write. */
export function hostProblems(host: string): string[] {
  if (host === "_default") {
    return [];
  }
  if (host === "*") {
    return [`host "*": write "_default" for every host that is not listed`];
  }
  if (host === "index.docker.io" || host === "registry-1.docker.io") {
    return [`host "${host}": containerd calls Docker Hub "docker.io"; write that`];
  }
  if (/^[a-z]+:\/\//i.test(host) || host.includes("/")) {
    return [
      `host "${host}": only the host's name belongs here, like gcr.io or otherhost.io:8443, without a scheme and without a path`,
    ];
  }
  const [, name = "", port] = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(host) ?? [];
  const isName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(name);
  const isBracketed = name.startsWith("[") && isIP(name.slice(1, -1)) === 6;
  if (!isName && !isBracketed) {
    const lower = host.toLowerCase();
    return [
      isIP(host) === 6
        ? `host "${host}": write an IPv6 address in brackets, [${host}]`
        : lower !== host && hostProblems(lower).length === 0
          ? `host "${host}": write it in lower case, ${lower}`
          : `host "${host}" is not a host name; write it like gcr.io, otherhost.io:8443 or _default`,
    ];
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) {
    return [`host "${host}": ${port} is not a port (1 to 65535)`];
  }
  return [];
}

function mirrorProblems(mirror: DesiredMirror, host: string): string[] {
  const url = parseEndpointUrl(mirror.endpoint);
  if (url === undefined) {
    return [
      `mirror "${mirror.endpoint.replace(/\/\/[^/]*@/, "//***@")}" for ${host} is not a URL like https://172.18.0.20:5000 or https://172.18.0.20:5000/v2/NAMESPACE`,
    ];
  }
  const problems: string[] = [];
  const slow = mirror.dialTimeout === undefined ? undefined : dialTimeoutProblem(mirror.dialTimeout);
  if (slow !== undefined) {
    problems.push(`mirror ${mirror.endpoint}: dialTimeout ${slow}`);
  }
  if (url.scheme === "http" && mirror.caPath !== undefined) {
    problems.push(
      `mirror ${mirror.endpoint} is http and has a CA certificate; write https, or leave the certificate out`,
    );
  }
  if (mirror.insecure === true && mirror.caPath !== undefined) {
    problems.push(
      `mirror ${mirror.endpoint} is insecure and has a CA certificate: with the certificate, checking is possible; leave one of them out`,
    );
  }
  if (mirror.caPath !== undefined && !isAbsolutePath(mirror.caPath)) {
    problems.push(`mirror ${mirror.endpoint}: the CA's path on the node must be absolute, not "${mirror.caPath}"`);
  }
  if (upstreamAuthority(host) === url.authority) {
    problems.push(`host ${host} has itself as its mirror (${mirror.endpoint})`);
  }
  return problems;
}

/** One HOST:PORT has one certificate, one credential, one scheme: its own hosts.toml can say only one thing. */
function differences(authority: string, a: DesiredMirror, b: DesiredMirror): string[] {
  const found: string[] = [];
  const say = (what: string, x: string, y: string): void => {
    if (x !== y) {
      found.push(`the mirrors ${a.endpoint} and ${b.endpoint} are one place (${authority}) but differ in ${what}`);
    }
  };
  say("scheme", parseEndpointUrl(a.endpoint)?.scheme ?? "", parseEndpointUrl(b.endpoint)?.scheme ?? "");
  say("caCertPath", a.caPath ?? "", b.caPath ?? "");
  say("insecure", String(a.insecure ?? false), String(b.insecure ?? false));
  say("credentials", a.credential ?? "", b.credential ?? "");
  return found;
}
