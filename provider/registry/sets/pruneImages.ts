import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { mapConcurrently } from "../push/mapConcurrently";
import { targetOf } from "../push/target";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import type { FormerImage } from "./formerImages";
import { keyOf } from "./formerImages";
import type { HeldManifests, Holders } from "./heldManifests";
import { holdersOf } from "./heldManifests";
import { manifestsBelow } from "./manifestsBelow";
import type { ManifestsByRepository, OtherRecords, RecordedImage } from "./pushSetRecord";
import { addManifest, manifestsOf } from "./pushSetRecord";
import type { ReferrersList } from "./tagClaims";
import { claimsByTags } from "./tagClaims";

export interface PruneRequest {
  /** What is to go; all of it was pushed by this push set. */
  expired: readonly FormerImage[];
  /** What stays: what is declared, and the past that is kept. */
  kept: readonly Pick<FormerImage, "source" | "digest">[];
  /** What the push set's record says of either. */
  recorded: readonly RecordedImage[];
  others: OtherRecords;
  /** Asked when all else is known, right before the first delete. */
  held: () => Promise<HeldManifests>;
}

/** Why an image that was to go is still there. */
export type Stay =
  /** Nodes have it, or `part` of it. */
  | ({ image: FormerImage; kind: "node" } & Holders)
  /** It is the same manifest as something that stays. */
  | { image: FormerImage; kind: "same" }
  /** The registry did not delete it. */
  | { image: FormerImage; kind: "failed"; error: Error };

export interface PruneResult {
  pruned: FormerImage[];
  /** This push set's still, and to go the next time. */
  stays: Stay[];
  /** Somebody else's by now, so that this push set has nothing to do with it any more. */
  left: { image: FormerImage; owner: { pushSet: string } | { tag: string } }[];
}

/**
 * Deletes images that a push set had, with their children, signatures and tags, as far as nothing that stays needs them: what
 * is declared or kept, other push sets, tags that somebody else has set, and nodes. Only what the push set itself has put is
 * deleted. Begun again after any interruption, it does the rest.
 *
 * @throws RegistryError what a list of tags or a manifest cannot be read for; nothing is deleted then. `REGISTRY_NO_TAG_LIST`
 */
export async function pruneImages(
  registry: Registry,
  request: PruneRequest,
  context: OperationContext,
): Promise<PruneResult> {
  return new Pruning(registry, request, context).run();
}

interface Going {
  image: FormerImage;
  parts: RecordedImage;
}

class Pruning {
  private readonly result: PruneResult = { pruned: [], stays: [], left: [] };
  /** What must not go, by repository. */
  private spared: ManifestsByRepository = new Map();

  constructor(
    private readonly registry: Registry,
    private readonly request: PruneRequest,
    private readonly context: OperationContext,
  ) {}

  async run(): Promise<PruneResult> {
    const { expired, kept, others } = this.request;
    this.spared = manifestsOf(await mapConcurrently(kept, (image) => this.partsOf(image)));
    let going = await mapConcurrently(expired, async (image) => ({ image, parts: await this.partsOf(image) }));
    going = this.sort(going, ({ image, parts }) => {
      if (this.isSpared(parts.repository, parts.digest)) {
        this.result.stays.push({ image, kind: "same" });
        return false;
      }
      const other = others.records.find(({ manifests }) => manifests.get(parts.repository)?.has(parts.digest) === true);
      if (other !== undefined) {
        this.result.left.push({ image, owner: { pushSet: other.owner } });
      }
      return other === undefined;
    });
    others.records.forEach(({ manifests }) => this.spareAll(manifests));

    const lists: ReferrersList[] = [];
    for (const repository of new Set(going.map(({ parts }) => parts.repository))) {
      const here = going.filter(({ parts }) => parts.repository === repository).map(({ parts }) => parts);
      const spared = this.spared.get(repository) ?? new Set();
      const { claims, referrersLists } = await claimsByTags(this.registry, repository, here, spared);
      lists.push(...referrersLists);
      claims.forEach((_tag, digest) => addManifest(this.spared, repository, digest));
      going = this.sort(going, ({ image, parts }) => {
        const tag = parts.repository === repository ? claims.get(parts.digest) : undefined;
        if (tag !== undefined) {
          this.result.left.push({ image, owner: { tag } });
        }
        return tag === undefined;
      });
    }
    going = await this.withoutHeld(going);
    const deleted = await this.delete(going);
    await this.deleteLists(lists, deleted);
    return this.result;
  }

  /** What becomes of each; all that an image consists of is spared with it. */
  private sort(going: readonly Going[], goes: (one: Going) => boolean): Going[] {
    return going.filter((one) => {
      const does = goes(one);
      if (!does) {
        this.spareAll(manifestsOf([one.parts]));
      }
      return does;
    });
  }

  /** Nodes are asked now, and not a moment earlier. */
  private async withoutHeld(going: readonly Going[]): Promise<Going[]> {
    if (going.length === 0) {
      return [];
    }
    const held = await this.request.held();
    const staying = new Set(this.request.kept.map(({ source }) => source));
    const left = this.sort(going, ({ image, parts }) => {
      const holders = holdersOf(image, parts.manifests, staying.has(image.source), held, this.registry.endpoint);
      if (holders !== undefined) {
        this.result.stays.push({ image, kind: "node", ...holders });
      }
      return holders === undefined;
    });
    // An index that a node has and this push set does not know may consist of what is to go.
    const known = manifestsOf(left.map(({ parts }) => parts));
    for (const [repository, digests] of held.repositories) {
      const unknown = known.has(repository) ? digests.filter((digest) => !this.isSpared(repository, digest)) : [];
      for (const digest of unknown) {
        for (const below of await manifestsBelow(this.registry, repository, digest)) {
          addManifest(this.spared, repository, below);
        }
      }
    }
    return left;
  }

  /** Roots first, so that no tag is ever left on an image that is no longer whole. */
  private async delete(going: readonly Going[]): Promise<ManifestsByRepository> {
    const deleted: ManifestsByRepository = new Map();
    const failures = new Map<string, Error>();
    const attempt = async (repository: string, digest: Digest): Promise<void> => {
      const key = `${repository}@${digest}`;
      try {
        await this.registry.deleteManifest(repository, digest);
        addManifest(deleted, repository, digest);
      } catch (error) {
        this.context.signal.throwIfAborted();
        failures.set(key, error as Error);
      }
    };
    const roots = [...manifestsOf(going.map(({ parts }) => ({ ...parts, manifests: [parts.digest] })))].flatMap(flat);
    const [first, ...others] = roots;
    if (first !== undefined) {
      await attempt(...first);
      const [refusal] = failures.values();
      if (refusal instanceof RegistryError && isRefusal(refusal)) {
        // It would say so of each.
        going.forEach(({ image }) => this.result.stays.push({ image, kind: "failed", error: refusal }));
        return deleted;
      }
    }
    let done = 0;
    await mapConcurrently(others, async (root) => {
      await attempt(...root);
      this.context.log.progress(`deleted ${++done} of ${roots.length} images that are no longer kept`);
    });
    const failed = (one: Going): Error | undefined =>
      one.parts.manifests.map((digest) => failures.get(`${one.parts.repository}@${digest}`)).find((error) => error);
    for (const one of going.filter((given) => failed(given) !== undefined)) {
      this.spareAll(manifestsOf([one.parts]));
    }
    const rest = [...manifestsOf(going.map(({ parts }) => parts))]
      .flatMap(flat)
      .filter(([repository, digest]) => !this.isSpared(repository, digest) && !deleted.get(repository)?.has(digest));
    await mapConcurrently(rest, ([repository, digest]) => attempt(repository, digest));
    for (const one of going) {
      const error = failed(one);
      if (error === undefined) {
        this.result.pruned.push(one.image);
      } else {
        this.result.stays.push({ image: one.image, kind: "failed", error });
      }
    }
    return deleted;
  }

  /** The tags that stood in for lists of referrers, of which nothing is left. */
  private async deleteLists(lists: readonly ReferrersList[], deleted: ManifestsByRepository): Promise<void> {
    for (const { repository, digest, subject, entries } of lists) {
      const gone = deleted.get(repository);
      if (gone?.has(subject) === true && entries.every((entry) => gone.has(entry))) {
        try {
          await this.registry.deleteManifest(repository, digest);
        } catch (error) {
          this.context.signal.throwIfAborted();
          this.context.log.debug(`${repository}@${digest}: ${(error as Error).message}`);
        }
      }
    }
  }

  private isSpared(repository: string, digest: Digest): boolean {
    return this.spared.get(repository)?.has(digest) === true;
  }

  private spareAll(manifests: ManifestsByRepository): void {
    for (const [repository, digest] of [...manifests].flatMap(flat)) {
      addManifest(this.spared, repository, digest);
    }
  }

  /** What an image consists of: by the push set's record, and where that does not tell, by the registry. */
  private async partsOf(image: Pick<FormerImage, "source" | "digest">): Promise<RecordedImage> {
    this.byKey ??= new Map(this.request.recorded.map((one) => [keyOf(one), one]));
    const known = this.byKey.get(keyOf(image));
    if (known !== undefined) {
      return known;
    }
    const { source, digest } = image;
    const { repository } = targetOf(this.registry.endpoint, source);
    const below = await manifestsBelow(this.registry, repository, digest);
    return { source, repository, digest, manifests: [digest, ...below] };
  }

  private byKey: Map<string, RecordedImage> | undefined;
}

/** The registry's no: asking again is of no use before somebody has changed something there. */
function isRefusal({ code }: RegistryError): boolean {
  return code === "REGISTRY_DELETE_DISABLED" || code === "REGISTRY_DENIED" || code === "REGISTRY_UNAUTHORIZED";
}

function flat([repository, digests]: [string, Set<Digest>]): [string, Digest][] {
  return [...digests].map((digest) => [repository, digest]);
}
