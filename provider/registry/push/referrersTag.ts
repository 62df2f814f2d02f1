import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import { mediaTypes } from "../../model/mediaType";
import { referrersTag } from "../pull/referrers";
import type { Registry } from "../registry";
import type { PlannedManifest } from "./pushPlan";

/**
 * Keeps the list of referrers under a tag where the registry has no referrers API (distribution-spec v1.1.1, "Backwards
 * Compatibility", `sha256-<hex>`): without it nobody finds the signatures. One writer a subject, because a list is
 * read, changed and put back.
 */
export class ReferrersTags {
  private readonly queues = new Map<string, Promise<void>>();

  constructor(private readonly registry: Registry) {}

  add(repository: string, subject: Digest, referrers: readonly PlannedManifest[]): Promise<void> {
    const key = `${repository}@${subject}`;
    const before = this.queues.get(key) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.update(repository, subject, referrers));
    this.queues.set(key, mine);
    return mine;
  }

  private async update(repository: string, subject: Digest, referrers: readonly PlannedManifest[]): Promise<void> {
    const tag = referrersTag(subject);
    const held = await this.registry.getManifest(repository, tag);
    const index: ReferrersIndex = (held === undefined ? undefined : parsed(held.bytes)) ?? {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [],
    };
    const listed = new Set(index.manifests.map((entry) => entry.digest));
    const added = referrers.filter((referrer) => !listed.has(referrer.digest));
    if (added.length === 0) {
      return;
    }
    index.manifests.push(...added.map(descriptorOf));
    const bytes = Buffer.from(JSON.stringify(index));
    await this.registry.putManifest(repository, tag, { mediaType: mediaTypes.ociIndex, bytes, digest: sha256(bytes) });
  }
}

interface ReferrersIndex {
  schemaVersion: number;
  mediaType: string;
  manifests: Descriptor[];
}

function parsed(bytes: Buffer): ReferrersIndex | undefined {
  try {
    const json = JSON.parse(bytes.toString("utf8")) as { manifests?: unknown };
    return Array.isArray(json.manifests) ? (json as ReferrersIndex) : undefined;
  } catch {
    return undefined;
  }
}

function descriptorOf(manifest: PlannedManifest): Descriptor {
  return {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    ...(manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType }),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}
