import type { ErrorCode } from "../../model/codes";
import { messageOf, MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
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

/** The error of a list of which some images cannot be had. */
export function imagesUnresolved(
  failures: readonly UnreadImage[],
  total: number,
  wayTo: (host: string) => string,
): RegistryError {
  return new RegistryError(
    "IMAGES_UNRESOLVED",
    `${failures.length} of ${total} images cannot be had from their registries; nothing was copied.`,
    { parts: unreadParts(failures, wayTo) },
  );
}

/**
 * One for each cause: an image by its name; images of one host that fail for one cause together, the host first.
 *
 * @param wayTo Which argument says how a host is reached; undefined where the way out is said elsewhere.
 */
export function unreadParts(images: readonly UnreadImage[], wayTo?: (host: string) => string): Problem[] {
  const groups = new Map<string, { host: string; names: string[]; error: unknown }>();
  for (const { name, error } of images) {
    const { host } = parseReference(name);
    const key = JSON.stringify([host, error instanceof MirrorError ? error.code : "", hostText(error)]);
    const group = groups.get(key) ?? { host, names: [], error };
    group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => partOf(group, wayTo)).sort((a, b) => (a.text < b.text ? -1 : 1));
}

function partOf(
  { host, names, error }: { host: string; names: string[]; error: unknown },
  wayTo: ((host: string) => string) | undefined,
): Problem {
  const [only = ""] = names;
  const code = error instanceof MirrorError ? error.code : "UNEXPECTED";
  const wayOut =
    wayTo !== undefined && byTheWay.includes(code)
      ? ` Say in ${wayTo(host)} by which other endpoint or proxy it is reached, or take its images out of the list.`
      : "";
  const text = names.length === 1 ? `${only}: ${messageOf(error)}` : `${together(host, names)}: ${hostText(error)}`;
  return { code, text: `${text}${wayOut}` };
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
