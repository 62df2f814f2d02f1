import type { Digest } from "./digest";
import { isDigest } from "./digest";
import { MirrorError } from "./errors";

/**
 * A fully named image. `host` is a registry host with an optional port (`gcr.io`, `localhost:5000`), `repository` the
 * path below it, and at least one of tag and digest is set.
 */
export interface Reference {
  host: string;
  repository: string;
  tag?: string;
  digest?: Digest;
}

// distribution-spec v1.1.1, "Pulling manifests": <name> and <reference>.
const repositoryForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const hostForm = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?$/;

export function isRepository(text: string): boolean {
  return repositoryForm.test(text) && text.length <= 255;
}

export function isTag(text: string): boolean {
  return tagForm.test(text);
}

export function isHost(text: string): boolean {
  return hostForm.test(text);
}

/**
 * Reads `[HOST/]PATH[:TAG][@DIGEST]` the way containerd and Docker do: a first part with a dot, a colon or "localhost"
 * is a host, anything else means docker.io; a single name on docker.io lies under library/; neither tag nor digest
 * means `latest`.
 *
 * @throws MirrorError `REFERENCE_INVALID`
 */
export function parseReference(text: string): Reference {
  const invalid = (why: string): MirrorError =>
    new MirrorError(
      "REFERENCE_INVALID",
      `image name "${text}": ${why}; expected HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST.`,
    );
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf("@");
  if (at >= 0) {
    digest = rest.slice(at + 1);
    rest = rest.slice(0, at);
    if (!isDigest(digest)) {
      throw invalid(`"${digest}" is not a digest`);
    }
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(":");
  if (colon > rest.lastIndexOf("/")) {
    tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!isTag(tag)) {
      throw invalid(`"${tag}" is not a tag`);
    }
  }
  const slash = rest.indexOf("/");
  const first = slash < 0 ? "" : rest.slice(0, slash);
  const named = first !== "" && (/[.:]/.test(first) || first === "localhost");
  let host = named ? first : "docker.io";
  let repository = named ? rest.slice(slash + 1) : rest;
  if (host === "index.docker.io" || host === "registry-1.docker.io") {
    host = "docker.io";
  }
  if (host === "docker.io" && !repository.includes("/")) {
    repository = `library/${repository}`;
  }
  if (!isHost(host)) {
    throw invalid(`"${host}" is not a registry host`);
  }
  if (!isRepository(repository)) {
    throw invalid(`"${repository}" is not a repository name (lower case letters, digits, . _ - and /)`);
  }
  if (tag === undefined && digest === undefined) {
    tag = "latest";
  }
  return { host, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

export function formatReference(reference: Reference): string {
  const { host, repository, tag, digest } = reference;
  return `${host}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
