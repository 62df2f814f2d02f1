import { isAttachedName } from "../../model/signatureLayer";
import type { PushedRegistry } from "../../registry/push/pushedRegistry";
import type { PushedImage } from "../../registry/push/pushResult";

/** Registries of one push set that have the same, so that a report says it once. */
export interface PushedGroup {
  endpoints: string[];
  images: PushedImage[];
  /** What lies beside images under a name, as cosign's older signatures do. */
  attached: PushedImage[];
  /** As in PushedRegistry; empty where there is nothing. */
  failures: readonly string[];
  drift: readonly string[];
  former: NonNullable<PushedRegistry["former"]>;
}

export function groupsOf(registries: readonly PushedRegistry[]): PushedGroup[] {
  const same = Map.groupBy(registries, ({ images, failures = [], drift = [], former = [] }) =>
    JSON.stringify([images.map(({ target: _place, ...image }) => image), failures, drift, former]),
  );
  return [...same.values()].flatMap((all) =>
    all.slice(0, 1).map(({ images, failures = [], drift = [], former = [] }) => ({
      endpoints: all.map(({ endpoint }) => endpoint),
      images: images.filter(({ source }) => !isAttachedName(source)),
      attached: images.filter(({ source }) => isAttachedName(source)),
      failures,
      drift,
      former,
    })),
  );
}

/** Each image once, and the registries that have it. */
export function imagePlaces(groups: readonly PushedGroup[]): { image: PushedImage; endpoints: string[] }[] {
  const found = Map.groupBy(
    groups.flatMap(({ endpoints, images }) => images.map((image) => ({ image, endpoints }))),
    ({ image: { target: _place, ...image } }) => JSON.stringify(image),
  );
  return [...found.values()].flatMap((same) =>
    same.slice(0, 1).map(({ image }) => ({ image, endpoints: same.flatMap(({ endpoints }) => endpoints) })),
  );
}

/** Whether nothing of it is to be looked after. */
export function isComplete({ failures, drift }: PushedGroup): boolean {
  return failures.length === 0 && drift.length === 0;
}
