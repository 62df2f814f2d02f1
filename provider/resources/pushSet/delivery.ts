import type { OperationContext } from "../../model/context";
import type { NodeConnection } from "../../node";
import type { RegistryConnection } from "../../registry/connection";
import type { PushOutcome, PushTarget } from "../../registry/push/push";
import { resultOf } from "../../registry/push/push";
import type { Probe, PushResult } from "../../registry/push/pushResult";
import { Registry } from "../../registry/registry";
import { repositoryBesideProbe } from "../../registry/sets/besideProbe";
import type { FormerImage } from "../../registry/sets/formerImages";
import type { RecordPlace } from "../../registry/sets/pushSetRecord";
import { PushSetBook } from "./book";
import type { RegistryEntry } from "./comparison";
import { pruneAfterPush } from "./prune";
import type { PushSetInputs } from "./state";

/** One registry's share of a push set's push, from the first question to what the state keeps of it. */
export class Delivery {
  readonly connection: RegistryConnection;
  readonly registry: Registry;
  readonly book: PushSetBook;
  /** Why this registry gets no further; the others go on. */
  failure: Error | undefined;
  result: PushResult | undefined;
  probe: Probe | undefined;
  record: RecordPlace | undefined;
  former: FormerImage[] | undefined;

  constructor(
    readonly entry: RegistryEntry,
    private readonly inputs: PushSetInputs,
    private readonly nodes: readonly NodeConnection[] | undefined,
    private readonly context: OperationContext,
  ) {
    const { argument, connection, before } = entry;
    this.connection = connection;
    this.registry = new Registry(connection, context, { argument });
    this.book = new PushSetBook(this.registry, inputs, before?.record, context);
    this.probe = before?.probe;
    this.record = before?.record;
    this.former = before?.former;
  }

  /** What pushToAll is to do here. */
  get target(): PushTarget {
    const { deleteImages, prune, probeRepository } = this.inputs;
    const { images = [], damaged = [] } = this.entry.before ?? {};
    return {
      registry: this.registry,
      // With prune, that says what goes after a push, and deleteImages what a destroy leaves.
      deleteImages: deleteImages === true && prune === undefined,
      previous: images,
      damaged,
      beforePush: (images) => this.book.recordPlanned(images),
      keeper: () => this.book.keeper(),
      ...(probeRepository === false ? {} : { stagingRepository: repositoryBesideProbe(probeRepository, "staging") }),
    };
  }

  /** Does one step, unless an earlier one has failed. */
  async attempt(step: () => Promise<void> | void): Promise<void> {
    if (this.failure === undefined) {
      try {
        await step();
      } catch (error) {
        this.context.signal.throwIfAborted();
        this.failure = error as Error;
      }
    }
  }

  /** Whether it can be reached, and takes the credentials. */
  ping(): Promise<void> {
    return this.attempt(async () => {
      await this.registry.ping();
    });
  }

  take(outcome: PushOutcome): void {
    this.result = resultOf(outcome);
  }

  /** After the push: lets go of what prune does not keep, and writes down what there is. */
  async settle(): Promise<void> {
    if (this.result !== undefined) {
      const { images = [], former = [], fingerprint } = this.entry.before ?? {};
      const isSettled = this.entry.before === undefined || Boolean(fingerprint);
      const before = { images, former, isSettled };
      const past = await pruneAfterPush(this, before, this.result, this.inputs.prune, this.nodes, this.context);
      this.former = past.former;
      this.record = await this.book.recordPushed(past.recorded, past.exact);
    }
  }
}
