import { isIP } from "node:net";

import { atLeast, type ContainerdVersion } from "./version";

/** The URL of a mirror, taken apart without losing an explicit default port (containerd compares hosts as written). */
export interface EndpointUrl {
  scheme: string;
  /** Host as containerd asks and looks credentials up: `172.18.0.20:5000`, `[::1]:5000`, `mirror.example`. */
  authority: string;
  /** `` or `/v2/ns`. */
  path: string;
}

/** A URL out of a node's own file, without what containerd drops from it: user and password, query, fragment. */
export function withoutUserinfo(url: string): string {
  return url.replace(/^([a-z]+:\/\/)?[^/?#@]*@/i, "$1").replace(/[?#].*$/, "");
}

/** Undefined when the text is no http(s) URL of host and path. */
export function parseEndpointUrl(url: string): EndpointUrl | undefined {
  const found = /^(https?):\/\/([^/?#@\s"\\]+)(\/[^?#\s"\\]*)?$/i.exec(url);
  if (found === null) {
    return undefined;
  }
  const [, scheme = "", authority = "", path = ""] = found;
  return { scheme: scheme.toLowerCase(), authority, path: path.replace(/\/+$/, "") };
}

/** Rule of the facts: containerd appends /v2 by itself to an empty path; any other path must be taken as it is. */
export function needsOverridePath(path: string): boolean {
  return path !== "" && path !== "/" && path !== "/v2";
}

/**
 * The host that containerd asks for a namespace when nothing is configured; undefined for `_default`, which is no host.
 */
export function upstreamAuthority(namespace: string): string | undefined {
  if (namespace === "_default" || namespace === "*") {
    return undefined;
  }
  return namespace === "docker.io" ? "registry-1.docker.io" : namespace;
}

/** The namespace whose images come from this host: the reverse of upstreamAuthority. */
export function namespaceOf(authority: string): string {
  return authority === "registry-1.docker.io" ? "docker.io" : authority;
}

/**
 * True where containerd treats a host as the local machine: http is then its default, and certificates go unchecked.
 */
export function isLocalhost(authority: string): boolean {
  const host = authority.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  if (host === "localhost") {
    return true;
  }
  return isIP(host) === 4 ? host.startsWith("127.") : host === "::1";
}

/**
 * Names of the directories that containerd tries for a namespace below a hosts directory, in its order; `_default`
 * comes last.
 */
export function directoryNames(namespace: string): string[] {
  const colon = namespace.lastIndexOf(":");
  const underscored = colon > 0 ? [`${namespace.slice(0, colon)}_${namespace.slice(colon + 1)}_`] : [];
  return [...underscored, namespace];
}

/** `host_port_` or `host:port` -> `host:port`. */
export function namespaceOfDirectory(name: string): string {
  const found = /^(.+)_(\d+)_$/.exec(name);
  return found === null ? name : `${found[1]}:${found[2]}`;
}

/**
 * False where no image can be named by this host: containerd 1.6 does not know IPv6 addresses in a reference, only in
 * its configuration.
 */
export function canNameImages(authority: string, version: ContainerdVersion): boolean {
  return !authority.startsWith("[") || atLeast(version, 1, 7);
}
