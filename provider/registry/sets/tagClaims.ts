import type { Digest } from "../../model/digest";
import { isDigest } from "../../model/digest";
import { isIndex } from "../../model/mediaType";
import { mapConcurrently } from "../push/mapConcurrently";
import { targetOf } from "../push/target";
import type { Registry } from "../registry";
import { manifestsBelow } from "./manifestsBelow";
import type { RecordedImage } from "./pushSetRecord";

/** A tag that stands in for a registry's list of referrers, of a manifest that is to go. */
export interface ReferrersList {
  repository: string;
  /** Of the list. */
  digest: Digest;
  subject: Digest;
  /** What it lists. */
  entries: Digest[];
}

/**
 * Which of the manifests that are to go somebody else has given a tag, or has made a part of something with a tag: a delete
 * by digest takes all tags along. Each tag of the repository is asked for by HEAD.
 *
 * @param going Images of this repository.
 * @param spared What stays anyway; what lies below it is spared, too.
 */
export async function claimsByTags(
  registry: Registry,
  repository: string,
  going: readonly RecordedImage[],
  spared: ReadonlySet<Digest>,
): Promise<{ claims: Map<Digest, string>; referrersLists: ReferrersList[] }> {
  const goes = new Set(going.flatMap(({ manifests }) => manifests));
  const own = new Set(going.map(({ source }) => targetOf(registry.endpoint, source).reference));
  const claims = new Map<Digest, string>();
  const referrersLists: ReferrersList[] = [];
  await mapConcurrently(await registry.listTags(repository), async (tag) => {
    const seen = await registry.headManifest(repository, tag);
    if (seen === undefined || spared.has(seen.digest)) {
      return;
    }
    const { digest } = seen;
    const subject = subjectOf(tag);
    const attached = subject !== undefined && goes.has(subject);
    if (goes.has(digest)) {
      if (!own.has(tag) && !attached) {
        claims.set(digest, tag);
      }
      return;
    }
    const entries = isIndex(seen.mediaType) ? await manifestsBelow(registry, repository, digest) : [];
    if (attached) {
      // One who has attached something has put no tag on the image itself.
      referrersLists.push(...(entries.length > 0 ? [{ repository, digest, subject, entries }] : []));
      return;
    }
    entries.filter((entry) => goes.has(entry)).forEach((entry) => claims.set(entry, tag));
  });
  return { claims, referrersLists };
}

/** What `sha256-HEX` (the specification's) and `sha256-HEX.sig` (cosign's) are about. */
function subjectOf(tag: string): Digest | undefined {
  const digest = /^(sha256-[0-9a-f]{64})(\.[a-z]+)?$/.exec(tag)?.[1]?.replace("-", ":");
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}
