import type { ErrorCode } from "../../model/codes";
import { withCode } from "../../model/codes";
import { messageOf, MirrorError, textWithCode } from "../../model/errors";
import { parseReference } from "../../model/reference";
import { RegistryError } from "../registryError";

/** An image of a list that cannot be had. */
export interface UnreadImage {
  /** As it was written. */
  name: string;
  error: unknown;
}

/** So many of a host's images are named. */
const named = 3;

/** Causes that another way to the same host may change. */
const byTheWay: readonly ErrorCode[] = [
  "REGISTRY_UNREACHABLE",
  "REGISTRY_UNKNOWN_HOST",
  "REGISTRY_TIMEOUT",
  "REGISTRY_CONNECTION_LOST",
];

/**
 * A line for each cause: an image by its name; images of one host that fail for one cause together, the host first.
 *
 * @param wayTo Which argument says how a host is reached; undefined where the way out is said elsewhere.
 */
export function unreadReasons(images: readonly UnreadImage[], wayTo?: (host: string) => string): string[] {
  const groups = new Map<string, { host: string; names: string[]; error: unknown }>();
  for (const { name, error } of images) {
    const { host } = parseReference(name);
    const key = JSON.stringify([host, error instanceof MirrorError ? error.code : "", hostText(error)]);
    const group = groups.get(key) ?? { host, names: [], error };
    group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => reason(group, wayTo)).sort();
}

function reason(
  { host, names, error }: { host: string; names: string[]; error: unknown },
  wayTo: ((host: string) => string) | undefined,
): string {
  const [only = ""] = names;
  if (!(error instanceof MirrorError)) {
    return `${names.length === 1 ? only : together(host, names)}: ${messageOf(error)}`;
  }
  const isOfWay = wayTo !== undefined && byTheWay.includes(error.code);
  const wayOut = isOfWay
    ? ` Say in ${wayTo(host)} by which other endpoint or proxy it is reached, or take its images out of the list.`
    : "";
  return names.length === 1
    ? `${only}: ${wayOut === "" ? textWithCode(error) : withCode(`${error.message}${wayOut}`, error.code)}`
    : withCode(`${together(host, names)}: ${hostText(error)}${wayOut}`, error.code);
}

/** `gcr.io, 20 images (gcr.io/a:1, gcr.io/b:1, gcr.io/c:1 and 17 more)` */
function together(host: string, names: readonly string[]): string {
  const sorted = [...names].sort();
  const more = sorted.length > named ? ` and ${sorted.length - named} more` : "";
  return `${host}, ${names.length} images (${sorted.slice(0, named).join(", ")}${more})`;
}

/** Of the host, where the error says so; else what it says of the request. */
function hostText(error: unknown): string {
  return error instanceof RegistryError && error.ofHost !== undefined ? error.ofHost : messageOf(error);
}
