import { ProviderProcess, type ProviderProcessOptions } from "./providerProcess";
import type { ResourceState } from "./state";
import { parseProviderReference } from "./urn";
import { sameMap, type ValueMap } from "./value";

/** The provider processes of a deployment, by reference (`URN::ID`). One serves all resources; a second only starts when its configuration changed. */
export class Providers {
  private readonly configured = new Map<string, ValueMap>();
  private readonly started: { config: ValueMap; process: Promise<ProviderProcess> }[] = [];
  private closed = false;

  constructor(private readonly options: Omit<ProviderProcessOptions, "config">) {}

  /** Says with what configuration a provider works from now on. */
  configure(reference: string, config: ValueMap): void {
    this.configured.set(reference, config);
  }

  /** Makes a provider of the state usable, unless this deployment has already said how it is configured. */
  ensure(reference: string, resources: ResourceState[]): void {
    if (reference === "" || this.configured.has(reference)) return;
    const { urn, id } = parseProviderReference(reference);
    const state = resources.find((resource) => resource.urn === urn && resource.id === id);
    if (state === undefined) throw new Error(`could not find provider ${reference} in old state`);
    this.configure(reference, state.inputs);
  }

  /** The process behind a reference, started when it is first needed. */
  async get(reference: string): Promise<ProviderProcess> {
    const config = this.configured.get(reference);
    if (config === undefined) throw new Error(`unknown provider '${reference}'`);
    if (this.closed) throw new Error("the provider has been shut down");
    let entry = this.started.find((other) => sameMap(other.config, config));
    if (entry === undefined) {
      entry = { config, process: ProviderProcess.start({ ...this.options, config }) };
      this.started.push(entry);
    }
    return entry.process;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const entry of await Promise.allSettled(this.started.map(({ process }) => process))) {
      if (entry.status === "fulfilled") entry.value.close();
    }
  }
}
