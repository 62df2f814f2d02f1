import type { NodeLayout } from "../layout/layout";
import type { ObservedDropIns } from "../observed";
import { readToml, stringsAt } from "../toml/toml";

/** A main configuration as it is to be read. */
export interface MainConfig {
  text: string;
  /** Where settings go instead of into it. */
  dropIns?: ObservedDropIns;
}

/**
 * A main configuration in terms of what its node keeps: places by the layout's link instead of the folder that it points
 * to just now, and the folder of drop-ins instead of what was merged out of it at the last start.
 *
 * @param target What the layout's link points to.
 */
export function mainConfig(text: string, { link, dropIns }: NodeLayout, target?: string): MainConfig {
  if (link !== undefined && target !== undefined) {
    return { text: text.replaceAll(`${target}/`, `${link}/`) };
  }
  // Early releases of k0s began the file with an empty line.
  if (dropIns === undefined || text.trimStart().split("\n", 1)[0] !== dropIns.mark) {
    return { text };
  }
  const { folder, path, mark, mergedPath } = dropIns;
  const doc = readToml(text).doc ?? {};
  const merged = stringsAt(doc, "imports").includes(mergedPath);
  const version = typeof doc["version"] === "number" ? doc["version"] : 2;
  return {
    text: merged ? `${mark}\nversion = ${version}\nimports = ["${folder}/*.toml"]\n` : text,
    dropIns: {
      path,
      ...(merged ? { copiedTo: mergedPath } : {}),
      ...(version < 3 ? { refusesVersion2: dropIns.refusesVersion2 } : {}),
    },
  };
}
