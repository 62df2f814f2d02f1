import { sha256 } from "../../model/digest";
import { ArchiveError } from "../archiveError";
import { largestList } from "../limits";
import type { Entry } from "../scan/entry";
import { readSmall } from "../scan/entry";
import type { Findings } from "./findings";
import { isDescriptors } from "./findings";
import type { DockerImage, Scope } from "./scope";

/**
 * Takes in index.json, manifest.json and the small files that belong to them.
 *
 * @param once paths of those met before in this archive
 * @returns whether the entry is one of these
 * @throws ArchiveError `ARCHIVE_ENTRY_REFUSED`, `ARCHIVE_TOO_LARGE`
 */
export async function readList(findings: Findings, scope: Scope, entry: Entry, once: Set<string>): Promise<boolean> {
  const slash = entry.path.lastIndexOf("/");
  const name = entry.path.slice(slash + 1);
  const prefix = slash < 0 ? "" : entry.path.slice(0, slash);
  const label = entry.body.label;
  if (name === "oci-layout") {
    scope.marks.add(prefix);
  } else if (name === "zarf.yaml") {
    scope.zarf.add(prefix);
  }
  if (name !== "index.json" && name !== "manifest.json") {
    return (
      name === "oci-layout" ||
      name === "zarf.yaml" ||
      name === "repositories" ||
      name === "VERSION" ||
      name === "version"
    );
  }
  if (once.has(entry.path)) {
    throw new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${label}: the archive has this entry twice, and tools disagree which one counts. Make the archive again.`,
    );
  }
  once.add(entry.path);
  const bytes = await readSmall(entry.body, largestList, `a package's ${name}`);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    // Whether it matters is known when all has been seen: a web site in the package may have such files too.
    scope.damaged.push({ prefix, label });
    return true;
  }
  if (
    name === "index.json" &&
    typeof json === "object" &&
    json !== null &&
    "manifests" in json &&
    isDescriptors(json.manifests)
  ) {
    scope.layouts.push({ prefix, label, manifests: json.manifests });
  } else if (name === "manifest.json" && isDockerImages(json)) {
    scope.dockers.push({ prefix, label, images: json });
  } else if (name === "manifest.json" && findings.addManifest(sha256(bytes), bytes, label) !== undefined) {
    scope.nameless.push(label);
  }
  return true;
}

function isDockerImages(json: unknown): json is DockerImage[] {
  return Array.isArray(json) && json.every(isDockerImage);
}

function isDockerImage(item: unknown): boolean {
  return (
    typeof item === "object" &&
    item !== null &&
    "Config" in item &&
    typeof item.Config === "string" &&
    "Layers" in item &&
    (item.Layers === null || isTexts(item.Layers)) &&
    (!("RepoTags" in item) || item.RepoTags === null || isTexts(item.RepoTags))
  );
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
