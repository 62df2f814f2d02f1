import type { OperationContext } from "../../model/context";
import { messageOf, MirrorError } from "../../model/errors";
import { newToken } from "../../model/token";
import type { Registry } from "../../registry/registry";
import { RegistryError } from "../../registry/registryError";
import type { Keeper } from "../../registry/sets/deletePushed";
import { keeperOf } from "../../registry/sets/deletePushed";
import type { OtherRecords, PushSetRecord, RecordedImage, RecordPlace } from "../../registry/sets/pushSetRecord";
import {
  defaultRecordRepository,
  deleteRecord,
  manifestsOf,
  readOtherRecords,
  readRecord,
  recordRepository,
  union,
  writeRecord,
} from "../../registry/sets/pushSetRecord";
import type { PruneWanted } from "./pruneWanted";

/** What decides where a push set's record lies. */
export interface RecordWanted {
  probeRepository: string | false;
  deleteImages?: boolean;
  prune?: PruneWanted;
}

/** Whether anything is ever deleted, for which others' records and the own one have to be known. */
function deletes({ deleteImages, prune }: RecordWanted): boolean {
  return deleteImages === true || prune !== undefined;
}

/**
 * The record that one push set keeps in its registry (registry/pushSetRecord.ts), through one push.
 *
 * With `deleteImages` it has to be there before anything is pushed: a delete relies on each push set of that kind
 * having one. Without, it is kept where the registry takes it, so that others spare what this push set has.
 */
export class PushSetBook {
  readonly place: RecordPlace | undefined;
  private written: RecordContents | undefined;
  private before: RecordContents = { manifests: new Map(), images: [] };

  constructor(
    private readonly registry: Registry,
    private readonly wanted: RecordWanted,
    /** As the state has it. */
    private readonly old: RecordPlace | undefined,
    private readonly context: OperationContext,
  ) {
    const repository = repositoryOf(wanted);
    this.place = repository === undefined ? undefined : { token: old?.token ?? newToken(), repository };
  }

  /** Before a push: what there was, and what is to come. */
  async recordPlanned(images: readonly RecordedImage[]): Promise<void> {
    if (this.place === undefined) {
      return;
    }
    try {
      this.before = (this.old === undefined ? undefined : await readRecord(this.registry, this.old)) ?? this.before;
      await this.write(both(this.before, images));
    } catch (error) {
      this.context.signal.throwIfAborted();
      if (deletes(this.wanted)) {
        const { prune } = this.wanted;
        throw new MirrorError(
          "PUSH_RECORD_REFUSED",
          `${prune === undefined ? "deleteImages" : "prune"} needs a record of what this push set has, and ${this.registry.endpoint.authority} does not take it at ${this.place.repository}: ${messageOf(error)} ` +
            `Nothing was pushed. Create that repository, name another place with probeRepository (the record lies beside the probe), or ${prune === undefined ? "set deleteImages: false" : "leave prune out"}.`,
          { cause: error },
        );
      }
      this.context.log.debug(`no record of this push set is kept: ${messageOf(error)}`);
    }
  }

  /** After it. Gives the place of the record for the state; undefined where none could be written. */
  async recordPushed(images: readonly RecordedImage[], complete: boolean): Promise<RecordPlace | undefined> {
    if (this.place === undefined || this.written === undefined) {
      await this.forget(this.old);
      return undefined;
    }
    await this.write(complete ? both(nothing, images) : both(this.before, images));
    if (this.old !== undefined && this.old.repository !== this.place.repository) {
      await this.forget(this.old);
    }
    return this.place;
  }

  /** What other push sets name. @throws RegistryError where that cannot be known */
  async keeper(): Promise<Keeper> {
    return keeperOf(await this.others());
  }

  /** What this push set has had, each image with its manifests, as far as a record has told. */
  get known(): readonly RecordedImage[] {
    return this.written?.images ?? this.before.images;
  }

  /** What other push sets of the namespace have. @throws RegistryError where that cannot be known */
  async others(): Promise<OtherRecords> {
    return readOtherRecords(this.registry, placesToLook(this.wanted, this.place), this.place);
  }

  private async write(contents: RecordContents): Promise<void> {
    if (this.place === undefined || (this.written !== undefined && isSame(this.written, contents))) {
      return;
    }
    await writeRecord(this.registry, this.place, { owner: this.context.urn ?? "", ...contents });
    this.written = contents;
  }

  private async forget(place: RecordPlace | undefined): Promise<void> {
    if (place !== undefined) {
      await deleteRecord(this.registry, place).catch((error: unknown) =>
        this.context.log.debug(`${place.repository}: ${messageOf(error)}`),
      );
    }
  }
}

function repositoryOf(wanted: RecordWanted): string | undefined {
  const { probeRepository } = wanted;
  if (probeRepository === false) {
    return deletes(wanted) ? defaultRecordRepository : undefined;
  }
  return recordRepository(probeRepository);
}

/** Where records of the push sets of one namespace are looked for: beside this one's, and in the usual place. */
function placesToLook(wanted: RecordWanted, place: RecordPlace | undefined): string[] {
  return [
    ...new Set([place?.repository, repositoryOf(wanted), defaultRecordRepository].filter((path) => path !== undefined)),
  ];
}

/** What other push sets name, for a delete; `unknown` where the registry does not tell, and then nothing may be deleted. */
export async function othersForDelete(
  registry: Registry,
  wanted: RecordWanted,
  place: RecordPlace | undefined,
): Promise<{ others: OtherRecords } | { unknown: string }> {
  try {
    return { others: await readOtherRecords(registry, placesToLook(wanted, place), place) };
  } catch (error) {
    if (error instanceof RegistryError && error.code === "REGISTRY_NO_TAG_LIST") {
      return { unknown: error.message };
    }
    throw error;
  }
}

/** What a record says that there is. */
type RecordContents = Pick<PushSetRecord, "manifests" | "images">;

const nothing: RecordContents = { manifests: new Map(), images: [] };

function both({ manifests, images }: RecordContents, others: readonly RecordedImage[]): RecordContents {
  const all = new Map<string, RecordedImage>();
  for (const image of [...images, ...others]) {
    const key = `${image.source} ${image.digest}`;
    const own = new Set([...(all.get(key)?.manifests ?? []), ...image.manifests]);
    all.set(key, { ...image, manifests: [...own] });
  }
  return { manifests: union(manifests, manifestsOf(others)), images: [...all.values()] };
}

function isSame(a: RecordContents, b: RecordContents): boolean {
  const flat = ({ manifests, images }: RecordContents): string =>
    [
      ...[...manifests].flatMap(([name, digests]) => [...digests].map((digest) => `${name}@${digest}`)),
      ...images.map(({ source, manifests: own }) => `${source} ${own.join(" ")}`),
    ]
      .sort()
      .join("\n");
  return flat(a) === flat(b);
}
