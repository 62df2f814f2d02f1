import type { OperationContext } from "../../model/context";
import { messageOf, MirrorError } from "../../model/errors";
import { newToken } from "../../model/token";
import type { Registry } from "../../registry/registry";
import { RegistryError } from "../../registry/registryError";
import type { Keeper } from "../../registry/sets/deletePushed";
import { keeperOf } from "../../registry/sets/deletePushed";
import type { ManifestsByRepository, RecordPlace } from "../../registry/sets/pushSetRecord";
import {
  defaultRecordRepository,
  deleteRecord,
  readOtherRecords,
  readRecord,
  recordRepository,
  union,
  writeRecord,
} from "../../registry/sets/pushSetRecord";

/** What decides where a push set's record lies. */
export interface RecordWanted {
  probeRepository: string | false;
  deleteImages?: boolean;
}

/**
 * The record that one push set keeps in its registry (registry/pushSetRecord.ts), through one push.
 *
 * With `deleteImages` it has to be there before anything is pushed: a delete relies on each push set of that kind
 * having one. Without, it is kept where the registry takes it, so that others spare what this push set has.
 */
export class PushSetBook {
  readonly place: RecordPlace | undefined;
  private written: ManifestsByRepository | undefined;
  private before: ManifestsByRepository = new Map();

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
  async recordPlanned(manifests: ManifestsByRepository): Promise<void> {
    if (this.place === undefined) {
      return;
    }
    try {
      this.before =
        (this.old === undefined ? undefined : (await readRecord(this.registry, this.old))?.manifests) ?? this.before;
      await this.write(union(this.before, manifests));
    } catch (error) {
      this.context.signal.throwIfAborted();
      if (this.wanted.deleteImages === true) {
        throw new MirrorError(
          "PUSH_RECORD_REFUSED",
          `deleteImages needs a record of what this push set has, and ${this.registry.endpoint.authority} does not take it at ${this.place.repository}: ${messageOf(error)} ` +
            "Nothing was pushed. Create that repository, name another place with probeRepository (the record lies beside the probe), or set deleteImages: false.",
          { cause: error },
        );
      }
      this.context.log.debug(`no record of this push set is kept: ${messageOf(error)}`);
    }
  }

  /** After it. Gives the place of the record for the state; undefined where none could be written. */
  async recordPushed(manifests: ManifestsByRepository, complete: boolean): Promise<RecordPlace | undefined> {
    if (this.place === undefined || this.written === undefined) {
      await this.forget(this.old);
      return undefined;
    }
    await this.write(complete ? manifests : union(this.before, manifests));
    if (this.old !== undefined && this.old.repository !== this.place.repository) {
      await this.forget(this.old);
    }
    return this.place;
  }

  /** What other push sets name. @throws RegistryError where that cannot be known */
  async keeper(): Promise<Keeper> {
    return readKeeper(this.registry, this.wanted, this.place);
  }

  private async write(manifests: ManifestsByRepository): Promise<void> {
    if (this.place === undefined || (this.written !== undefined && isSame(this.written, manifests))) {
      return;
    }
    await writeRecord(this.registry, this.place, { owner: this.context.urn ?? "", manifests });
    this.written = manifests;
  }

  private async forget(place: RecordPlace | undefined): Promise<void> {
    if (place !== undefined) {
      await deleteRecord(this.registry, place).catch((error: unknown) =>
        this.context.log.debug(`${place.repository}: ${messageOf(error)}`),
      );
    }
  }
}

function repositoryOf({ probeRepository, deleteImages }: RecordWanted): string | undefined {
  if (probeRepository === false) {
    return deleteImages === true ? defaultRecordRepository : undefined;
  }
  return recordRepository(probeRepository);
}

/** Where records of the push sets of one namespace are looked for: beside this one's, and in the usual place. */
function placesToLook(wanted: RecordWanted, place: RecordPlace | undefined): string[] {
  return [
    ...new Set([place?.repository, repositoryOf(wanted), defaultRecordRepository].filter((path) => path !== undefined)),
  ];
}

async function readKeeper(registry: Registry, wanted: RecordWanted, place: RecordPlace | undefined): Promise<Keeper> {
  return keeperOf(await readOtherRecords(registry, placesToLook(wanted, place), place));
}

/**
 * What other push sets name, for a delete; undefined where the registry does not tell, and then nothing may be deleted.
 */
export async function keeperForDelete(
  registry: Registry,
  wanted: RecordWanted,
  place: RecordPlace | undefined,
): Promise<{ keeper: Keeper } | { unknown: string }> {
  try {
    return { keeper: await readKeeper(registry, wanted, place) };
  } catch (error) {
    if (error instanceof RegistryError && error.code === "REGISTRY_NO_TAG_LIST") {
      return { unknown: error.message };
    }
    throw error;
  }
}

function isSame(a: ManifestsByRepository, b: ManifestsByRepository): boolean {
  const flat = (all: ManifestsByRepository): string =>
    [...all]
      .flatMap(([name, digests]) => [...digests].map((digest) => `${name}@${digest}`))
      .sort()
      .join("\n");
  return flat(a) === flat(b);
}
