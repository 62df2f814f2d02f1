import { ContainerdError } from "./containerdError";

/** A containerd release, as far as its registry configuration depends on it. */
export interface ContainerdVersion {
  /** As printed, without a leading `v` and without the distribution's suffix: `1.6.20`, `2.3.0-rc.1`. */
  text: string;
  major: number;
  minor: number;
  patch: number;
}

/**
 * Reads `containerd --version` as printed, e.g. `containerd github.com/containerd/containerd 1.6.20~ds1
 * 1.6.20~ds1-1+deb12u3` or `containerd github.com/containerd/containerd/v2 v2.1.9 <commit>`; a bare `1.7.24` or `v2.1`
 * will do as well.
 *
 * @throws ContainerdError CONTAINERD_VERSION when there is no version in it, or one below 1.6.
 */
export function parseContainerdVersion(text: string): ContainerdVersion {
  // The module path ends in /v2 on 2.x: a version must have at least a dot, and stand as a word of its own.
  const found = /(?:^|\s)v?(\d+)\.(\d+)(?:\.(\d+))?((?:-[0-9A-Za-z.]+)?)(?=[\s~+]|$)/.exec(text);
  if (found === null) {
    throw new ContainerdError(
      "CONTAINERD_VERSION",
      `no containerd version in ${JSON.stringify(text.trim().slice(0, 120))}; expected what \`containerd --version\` prints, like "containerd … 1.7.24 …"`,
    );
  }
  const [, major = "", minor = "", patch, pre = ""] = found;
  const version: ContainerdVersion = {
    text: `${major}.${minor}${patch === undefined ? "" : `.${patch}`}${pre}`,
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch ?? 0),
  };
  if (!atLeast(version, 1, 6)) {
    throw new ContainerdError(
      "CONTAINERD_VERSION",
      `containerd ${version.text} is too old: 1.6 is the oldest line supported here; upgrade containerd on this node`,
    );
  }
  return version;
}

/** True from the given release on. */
export function atLeast(version: ContainerdVersion, major: number, minor = 0, patch = 0): boolean {
  if (version.major !== major) {
    return version.major > major;
  }
  if (version.minor !== minor) {
    return version.minor > minor;
  }
  return version.patch >= patch;
}

/** Highest `version = N` a config.toml may have on this release. */
export function highestConfigVersion(version: ContainerdVersion): number {
  if (atLeast(version, 2, 3)) {
    return 4;
  }
  return atLeast(version, 2) ? 3 : 2;
}
