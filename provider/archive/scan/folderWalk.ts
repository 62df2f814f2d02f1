import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";

import { ArchiveError, quoted } from "../archiveError";
import { unreadableError } from "../decode/fileSource";
import type { Entry } from "./entry";
import { RegionBody } from "./entry";
import type { PlacedSource } from "./place";

export interface FolderFile {
  /** Below the folder, "/" between the parts on every system. */
  path: string;
  /** On disk, links resolved. */
  file: string;
  size: number;
  /** The path of the file itself, for one that was reached by a link. */
  sameAs?: string;
}

/**
 * All files of a folder, sorted by path. Symbolic links are followed as long as they stay inside.
 *
 * @throws ArchiveError `ARCHIVE_UNREADABLE`, `ARCHIVE_ENTRY_REFUSED`
 */
export async function listFolder(folder: string): Promise<FolderFile[]> {
  const top = await realpath(folder).catch((error: unknown) => {
    throw unreadableError(folder, error);
  });
  const files: FolderFile[] = [];
  const visit = async (below: string, ancestors: string[]): Promise<void> => {
    const here = below === "" ? top : join(top, ...below.split("/"));
    const real = await realpath(here);
    if (ancestors.includes(real)) {
      throw new ArchiveError(
        "ARCHIVE_ENTRY_REFUSED",
        `${here} is a link to a folder that contains it. Remove the link.`,
      );
    }
    const items = await readdir(here, { withFileTypes: true });
    items.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const item of items) {
      const path = below === "" ? item.name : `${below}/${item.name}`;
      let file = join(here, item.name);
      if (item.isSymbolicLink()) {
        file = await realpath(file);
        if (file !== top && !file.startsWith(top + sep)) {
          throw new ArchiveError(
            "ARCHIVE_ENTRY_REFUSED",
            `${quoted(join(here, item.name))} is a link out of the package folder. Put the file itself there.`,
          );
        }
      }
      const facts = await stat(file);
      if (facts.isDirectory()) {
        await visit(path, [...ancestors, real]);
      } else if (facts.isFile()) {
        const itself = relative(top, item.isSymbolicLink() ? file : join(real, item.name))
          .split(sep)
          .join("/");
        files.push({ path, file, size: facts.size, ...(itself === path ? {} : { sameAs: itself }) });
      } else {
        throw new ArchiveError(
          "ARCHIVE_ENTRY_REFUSED",
          `${quoted(file)} is neither a file nor a folder. Remove it from the package folder.`,
        );
      }
    }
  };
  await visit("", []).catch((error: unknown) => {
    throw unreadableError(folder, error);
  });
  return files;
}

export function* walkFolder(
  folder: string,
  files: FolderFile[],
  sourceOf: (file: FolderFile) => PlacedSource,
): Generator<Entry> {
  const name = basename(folder);
  for (const file of files) {
    yield {
      path: file.path,
      ...(file.sameAs === undefined ? {} : { sameAs: file.sameAs }),
      body: new RegionBody(sourceOf(file), 0, file.size, `${name}/${file.path}`),
    };
  }
}
