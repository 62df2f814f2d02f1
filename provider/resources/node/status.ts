import type { Credentials } from "../../containerd/desired";
import { credentialsInConfig } from "../../containerd/plan/authEdits";
import { placeholdersIn } from "../../containerd/plan/credentials";
import { declareDialTimeout, hasDialTimeout, knowsDialTimeout } from "../../containerd/plan/dialTimeout";
import type { ContainerdVersion } from "../../containerd/version";
import { atLeast, parseContainerdVersion } from "../../containerd/version";
import { holdsUnknown, isUnknown, sameValue } from "../../pulumi/plainValue";
import type { Declaration, DeclarationWithoutFiles, NodeContainerdInputs, NodeContainerdOutputs } from "./state";
import { digestOfFiles, mirrorOf } from "./state";

/**
 * Words for the reviewer about what an update does to one node: what is written there, and whether containerd restarts.
 * What its files contain is shown once, at the RegistryMirror.
 *
 * @param declared The declaration that `news.mirror` is the digest of.
 */
export function nodeStatus(
  olds: NodeContainerdOutputs,
  news: NodeContainerdInputs,
  declared: (digest: string) => Declaration,
): string {
  const parts: string[] = [];
  if ((olds.drift ?? []).length > 0) {
    parts.push("repairs what was changed since");
  }
  const change = changeOf(olds, news, declared);
  const restyled =
    news.configStyle !== undefined && news.configStyle !== "auto" && news.configStyle !== olds.containerd?.configStyle;
  if (change.credentials.length > 0) {
    parts.push(`other credentials for ${change.credentials.join(", ")}`);
  }
  if (change.files || change.credentials.length > 0 || change.mirror || restyled) {
    parts.push(restyled || olds.driftRestarts === true ? "containerd restarts once" : restartWords(olds, news, change));
    parts.push(...withoutDialTimeout(olds, news, change));
  } else if ((olds.drift ?? []).length > 0) {
    parts.push(olds.driftRestarts === true ? "containerd restarts once" : "containerd does not restart");
  } else if (holdsUnknown(news.credentials)) {
    parts.push("what is written is known in the update");
  } else {
    parts.push("verifies again, writes nothing");
  }
  return parts.join("; ");
}

interface Change {
  files: boolean;
  /** Hosts whose credential is new, another one, or gone. */
  credentials: string[];
  /** Hosts or the way they authenticate; false while that is not known. */
  mirror: boolean;
  now: DeclarationWithoutFiles | undefined;
}

function changeOf(
  olds: NodeContainerdOutputs,
  news: NodeContainerdInputs,
  declared: (digest: string) => Declaration,
): Change {
  const now = isUnknown(news.mirror) || news.mirror === olds.mirror ? undefined : withoutFiles(declared(news.mirror));
  const before = mirrorOf(olds);
  const keys = holdsUnknown(news.credentials)
    ? []
    : [...new Set([...Object.keys(olds.credentials), ...Object.keys(news.credentials)])];
  return {
    files: isUnknown(news.files) || olds.filesDigest !== digestOfFiles(news.files),
    credentials: keys.filter((key) => !sameValue(olds.credentials[key], news.credentials[key])).sort(),
    mirror: now !== undefined && !sameValue(now, before),
    now,
  };
}

function withoutFiles({ files: _files, ...rest }: Declaration): DeclarationWithoutFiles {
  return rest;
}

function restartWords(olds: NodeContainerdOutputs, news: NodeContainerdInputs, change: Change): string {
  const none = "containerd does not restart";
  const once = "containerd restarts once";
  const unknown = "whether containerd restarts is known in the update";
  if (olds.containerd === undefined || holdsUnknown([news.credentials, news.files])) {
    return unknown;
  }
  if (olds.containerd.configStyle === "config-toml") {
    const certificatesAlone = change.now === undefined ? false : sameValue(change.now.hosts, mirrorOf(olds).hosts);
    return change.credentials.length === 0 && certificatesAlone ? none : once;
  }
  const version = parseContainerdVersion(olds.containerd.version);
  const before = mirrorOf(olds);
  const stood = texts(
    credentialsInConfig({ ...before, credentials: olds.credentials }, version).placed,
    olds.credentials,
  );
  const hosts = change.now?.hosts ?? (change.files ? undefined : before.hosts);
  if (hosts !== undefined) {
    const auth = change.now?.auth ?? before.auth;
    const stands = texts(
      credentialsInConfig({ hosts, auth, credentials: news.credentials }, version).placed,
      news.credentials,
    );
    return sameValue(stood, stands) ? none : once;
  }
  const headers = [...new Set(Object.values(news.files).flatMap(placeholdersIn))];
  if (!atLeast(version, 2, 1) && headers.some((key) => !Object.hasOwn(before.auth, key))) {
    // Never asked before: one that hands out tokens needs its credential in config.toml.
    return unknown;
  }
  return sameValue(stood, texts(likely(news, before, version), news.credentials)) ? none : once;
}

/** For a node whose release is known from before; the risk itself is shown at the RegistryMirror, and in the report. */
function withoutDialTimeout(olds: NodeContainerdOutputs, news: NodeContainerdInputs, change: Change): string[] {
  const version = olds.containerd?.version;
  if (version === undefined || knowsDialTimeout(parseContainerdVersion(version))) {
    return [];
  }
  // The hosts are not known while the mirror's endpoints are asked in the update; their files are.
  const inFiles = change.now === undefined && !isUnknown(news.files);
  const declared = inFiles ? declareDialTimeout(news.files) : hasDialTimeout(change.now?.hosts ?? []);
  return declared ? [`containerd ${version} has no dial timeout`] : [];
}

/**
 * The same while the mirror is not known because its endpoints are asked in the update: by the placeholders in the
 * files, and by how each endpoint authenticated before.
 */
function likely(
  news: NodeContainerdInputs,
  before: DeclarationWithoutFiles,
  version: ContainerdVersion,
): { host: string; key: string }[] {
  const headers = new Set(Object.values(news.files).flatMap(placeholdersIn));
  const tokenInHeader = atLeast(version, 2, 1);
  return Object.keys(news.credentials)
    .filter((key) => !headers.has(key) || (before.auth[key] === "bearer" && !tokenInHeader))
    .filter((key) => before.hosts.find((one) => one.host === key)?.skipFallback !== true)
    .map((key) => ({ host: key, key }));
}

/** What has to stand in config.toml, to be compared. */
function texts(placed: { key: string }[], credentials: Credentials): unknown {
  return Object.fromEntries(placed.map(({ key }) => [key, credentials[key]]));
}
