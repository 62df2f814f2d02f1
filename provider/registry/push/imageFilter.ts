import { nearest } from "../../model/nearest";
import { RegistryError } from "../registryError";

/**
 * Which images of a package are meant, by patterns on the public name as the package has it (`gcr.io/a/b:1`,
 * `host/a@sha256:...`).
 *
 * - `*` stands for any characters within one part of the path, `**` for any characters at all, `?` for one character
 *   that is not `/`.
 * - A pattern covers the whole name. Without a tag or digest it covers all of them: `gcr.io/a/b` is every tag of that
 *   image, and `gcr.io/anthos-baremetal-release/*` every image directly below, whatever its tag;
 *   `gcr.io/anthos-baremetal-release/**` also those in folders further down.
 *
 * No `include` means everything; `exclude` is taken away from what `include` chose.
 *
 * @throws RegistryError `PUSH_FILTER_UNMATCHED` for a pattern that matches no name at all: it is a slip more often than
 * not, and an image that was meant would be missing on the nodes. `PUSH_FILTER_INVALID` for an empty pattern.
 */
export function selectImages<T extends { source: string }>(
  images: readonly T[],
  include: readonly string[],
  exclude: readonly string[],
): T[] {
  const names = images.map((image) => image.source);
  const chosen = chooser(compile("include", include, names), compile("exclude", exclude, names));
  return images.filter(({ source }) => chosen(source));
}

/** The same where a pattern that matches nothing is for another check to refuse. */
export function chosenBy(include: readonly string[], exclude: readonly string[]): (name: string) => boolean {
  return chooser(include.map(imagePattern), exclude.map(imagePattern));
}

function chooser(included: readonly RegExp[], excluded: readonly RegExp[]): (name: string) => boolean {
  return (name) => (included.length === 0 || included.some((p) => p.test(name))) && !excluded.some((p) => p.test(name));
}

/** Whether a name fits one pattern. */
export function matchesPattern(pattern: string, name: string): boolean {
  return imagePattern(pattern).test(name);
}

function compile(argument: string, patterns: readonly string[], names: string[]): RegExp[] {
  return patterns.map((pattern) => {
    if (pattern.trim() === "") {
      throw new RegistryError(
        "PUSH_FILTER_INVALID",
        `${argument}: an empty pattern; expected a public name such as gcr.io/anthos-baremetal-release/*.`,
      );
    }
    const form = imagePattern(pattern);
    if (!names.some((name) => form.test(name))) {
      const near = nearest(pattern.replace(/[*?]/g, ""), names, 3);
      const hint =
        near.length === 0
          ? "The package holds no image."
          : `The nearest of its ${names.length} names: ${near.join(", ")}.`;
      throw new RegistryError(
        "PUSH_FILTER_UNMATCHED",
        `${argument}: "${pattern}" matches no image of the package. ${hint} (* stays within one part of the path, ** does not.)`,
      );
    }
    return form;
  });
}

/** One pattern as a regular expression on whole names. */
function imagePattern(pattern: string): RegExp {
  const body = pattern.replace(/\*\*|[\s\S]/g, (piece) => {
    switch (piece) {
      case "**":
        return ".*";
      case "*":
        return "[^/]*";
      case "?":
        return "[^/]";
      default:
        return piece.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    }
  });
  const last = pattern.slice(pattern.lastIndexOf("/") + 1);
  const anyTag = last.includes(":") || last.includes("@") ? "" : "(?:[:@][^/]*)?";
  return new RegExp(`^${body}${anyTag}$`);
}
