import { randomBytes } from "node:crypto";

import { sha256 } from "../../model/digest";
import { problemText } from "../../model/problem";
import { holdsUnknown } from "../../pulumi/plainValue";
import { targetOf } from "../../registry/push/target";
import { RegistryError } from "../../registry/registryError";
import type { FormerImage } from "../../registry/sets/formerImages";
import { isExpired } from "../../registry/sets/formerImages";
import { holdersOf } from "../../registry/sets/heldManifests";
import type { NodesSeen } from "./heldByNodes";
import { heldManifests } from "./heldByNodes";
import type { NamedImage } from "./imageChanges";
import type { PruneSubject } from "./prune";
import { isOfTheRegistry, notPruned, readable } from "./prune";
import { countOf, heldText, named } from "./pruneText";
import type { PruneWanted } from "./pruneWanted";

/** What an update would prune of one registry. */
export interface PruneForecast {
  /** How many images would go, as far as anybody can tell. */
  goes: number;
  lines: string[];
  warnings: string[];
}

/** A registry as it will be when all that is declared is there. */
export interface PruneProspect extends Pick<PruneSubject, "registry" | "book"> {
  images: readonly NamedImage[];
  former: readonly FormerImage[];
}

/**
 * Says what would go, image by image, and what stays because a node has it. Nodes are asked, where there is anything to ask
 * them for; the registry only where it refused the last time: one delete of a digest that nobody can have.
 */
export async function foreseePrune(
  { registry, book, images, former }: PruneProspect,
  wanted: PruneWanted,
  ask: () => Promise<NodesSeen>,
): Promise<PruneForecast> {
  const { endpoint } = registry;
  const placeOf = ({ source, digest }: NamedImage): string => `${targetOf(endpoint, source).repository}@${digest}`;
  const places = new Set(images.map(placeOf));
  const names = new Set(images.map(({ source }) => source));
  const expired = former.filter((image) => isExpired(image, wanted.keep) && !places.has(placeOf(image)));
  const kept = former.filter((image) => !isExpired(image, wanted.keep)).length;
  const forecast: PruneForecast = { goes: 0, lines: [], warnings: [] };
  const willing = await withoutRefused(expired, { registry, book }, forecast);
  if (willing.length === 0) {
    return forecast;
  }
  const heading = (what: string): string =>
    `prune (keep: ${JSON.stringify(wanted.keep)}): ${what}${kept === 0 ? "" : `; ${kept} more earlier ones are kept`}`;
  const unknown = (why: string): PruneForecast => {
    forecast.lines.push(
      heading(`${countOf(willing.length)} would go, unless a node has ${willing.length === 1 ? "it" : "them"}`),
      ...willing.map((image) => `  ? ${named(image)}`),
    );
    forecast.warnings.push(why);
    return forecast;
  };
  if (holdsUnknown(wanted)) {
    return unknown("which nodes there are is not known yet, so what they run is known in the update");
  }
  const { nodes, problem } = await ask();
  if (nodes === undefined) {
    return unknown(
      `nothing is pruned as long as it is not known what a node runs: ${problemText(problem)} ` +
        "A node that is gone for good is to be taken out of prune.nodes.",
    );
  }
  const held = heldManifests(nodes, endpoint, wanted.running);
  const lines = willing.map((image) => {
    const parts = image.part === undefined ? [] : [image.part];
    const holders = holdersOf(image, parts, names.has(image.source), held, endpoint);
    forecast.goes += holders === undefined ? 1 : 0;
    return holders === undefined
      ? `  - ${named(image)}`
      : `  = ${named(image)} stays: ${heldText(holders.nodes, holders.part)}`;
  });
  const stays = willing.length - forecast.goes;
  // The registry is not asked for that here: the update asks it right before the first delete.
  const unless = `, unless another push set has ${forecast.goes === 1 ? "it" : "them"}`;
  const left = stays === 0 ? "" : `, ${stays} ${stays === 1 ? "stays" : "stay"}`;
  forecast.lines.push(
    heading(
      `${countOf(forecast.goes)} ${forecast.goes === 1 ? "goes" : "go"}${forecast.goes === 0 ? "" : unless}${left}`,
    ),
    ...lines.sort(),
  );
  return forecast;
}

/** Those that the registry did not refuse, or would not refuse any more. */
async function withoutRefused(
  expired: readonly FormerImage[],
  { registry, book }: Pick<PruneProspect, "registry" | "book">,
  forecast: PruneForecast,
): Promise<FormerImage[]> {
  const refused = expired.filter((image) => image.refused !== undefined);
  const [first] = refused.filter((image) => isOfTheRegistry(image.refused ?? ""));
  if (first === undefined) {
    return expired.filter((image) => image.refused === undefined);
  }
  try {
    readable(await book.others());
    const nobodys = sha256(randomBytes(32));
    await registry.deleteManifest(targetOf(registry.endpoint, first.source).repository, nobodys);
    return expired.filter((image) => image.refused === undefined || isOfTheRegistry(image.refused));
  } catch (error) {
    if (!(error instanceof RegistryError)) {
      throw error;
    }
    forecast.warnings.push(notPruned(registry.endpoint.authority, refused.length, error));
    return [];
  }
}
