import { MirrorError } from "../../model/errors";
import { isUnknown } from "../../pulumi/plainValue";
import type { RegistryConnection } from "../../registry/connection";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { PushedRegistry } from "../../registry/push/pushedRegistry";
import type { PushedImage } from "../../registry/push/pushResult";
import type { PushSetInputs, PushSetOutputs, RegistryState } from "./state";

/** The entries of `registry`, which may be one without a list around it. */
export function connectionsOf(registry: PushSetInputs["registry"]): RegistryConnection[] {
  return Array.isArray(registry) ? registry : [registry];
}

/** What errors call one of them. */
export function registryArgument(registry: PushSetInputs["registry"], at: number): string {
  return Array.isArray(registry) ? `registry[${at}]` : "registry";
}

/** Host, port and namespace, whatever way the endpoint is written. */
export function placeOf(endpoint: string): string {
  const { scheme, host, port, namespace } = parseRegistryEndpoint(endpoint);
  return `${scheme}://${host}:${port}/${namespace}`;
}

/** The same of an entry; undefined while its endpoint is not known. */
export function placeOfKnown({ endpoint }: Pick<RegistryConnection, "endpoint">): string | undefined {
  return isUnknown(endpoint) ? undefined : placeOf(endpoint);
}

/** What the state has of each registry; of a push set whose `registry` is no list, of that one. */
export function registriesOf(outs: PushSetOutputs): RegistryState[] {
  if (outs.registries !== undefined) {
    return outs.registries;
  }
  const { endpoint } = connectionsOf(outs.registry)[0] as RegistryConnection;
  const { fingerprint, images, probe, record, former, drift, damaged } = outs;
  return [stateOf(endpoint, { fingerprint, images, probe, record, former, drift, damaged })];
}

/** An entry of the state, without what is not. */
export function stateOf(
  endpoint: string,
  {
    images,
    ...found
  }: { [Field in keyof Omit<RegistryState, "endpoint" | "host">]?: RegistryState[Field] | undefined },
): RegistryState {
  const given = Object.entries(found).filter(([, value]) => value !== undefined);
  const { authority } = parseRegistryEndpoint(endpoint);
  return { endpoint, host: authority, images: images ?? [], ...Object.fromEntries(given) };
}

/** What the state says of all of them together. */
type Summary = Pick<
  PushSetOutputs,
  "endpoint" | "images" | "probe" | "record" | "former" | "damaged" | "registries" | "fingerprint"
>;

/**
 * The state's fields that the registries' own make up. With a list, images and probe are those of the first one, and all
 * that is one registry's alone stands in `registries`.
 *
 * @param states In the order of `registry`.
 */
export function summaryOf(registry: PushSetInputs["registry"], states: readonly RegistryState[]): Summary {
  const first = states[0] as RegistryState;
  const { endpoint, images, probe, record, former, damaged } = first;
  const settled = states.every((one) => one.fingerprint === first.fingerprint);
  // Without a fingerprint the state says "not settled", so that the next up tries again.
  const fingerprint = settled && first.fingerprint !== undefined ? first.fingerprint : "";
  const all = { endpoint, images, fingerprint, ...(probe === undefined ? {} : { probe }) };
  if (Array.isArray(registry)) {
    return { ...all, registries: [...states] };
  }
  return {
    ...all,
    ...(record === undefined ? {} : { record }),
    ...(former === undefined ? {} : { former }),
    ...(damaged === undefined ? {} : { damaged }),
  };
}

/** What a refresh found in all of them; with a list each line names its registry. */
export function driftOf(registry: PushSetInputs["registry"], states: readonly RegistryState[]): string[] | undefined {
  const lines = states.flatMap(({ endpoint, drift = [] }) =>
    drift.map((line) => (Array.isArray(registry) ? `${endpoint}: ${line}` : line)),
  );
  return lines.length === 0 ? undefined : lines;
}

/** The outputs that are of one registry, where `registry` is no list. */
type OfOnlyRegistry = { endpoint: string; images: PushedImage[] } & {
  [Field in "probe" | "drift" | "former"]?: PushedRegistry[Field] | undefined;
};

/** Each registry as a program sees it: what is for the provider alone is left out. */
export function shownRegistries(
  several: readonly PushedRegistry[] | undefined,
  { endpoint: only, ...found }: OfOnlyRegistry,
): PushedRegistry[] {
  const all = several ?? [stateOf(only, found)];
  return all.map(({ endpoint, host, images, probe, failures, drift, former }) => ({
    endpoint,
    host,
    images,
    ...(probe === undefined ? {} : { probe }),
    ...(failures === undefined ? {} : { failures }),
    ...(drift === undefined ? {} : { drift }),
    ...(former === undefined ? {} : { former }),
  }));
}

/** @throws MirrorError `REGISTRY_NOT_LISTED` */
export function registryAt(all: readonly PushedRegistry[], endpoint: string): PushedRegistry {
  const place = placeOf(endpoint);
  const found = all.find((one) => placeOf(one.endpoint) === place);
  if (found === undefined) {
    throw new MirrorError(
      "REGISTRY_NOT_LISTED",
      `at("${endpoint}"): this push set has no such registry; it has ${all.map((one) => one.endpoint).join(", ")}.`,
    );
  }
  return found;
}
