/**
 * A push in a process of its own: to be killed, or to have mounts of its own. Its arguments come on standard input: a
 * password has no place on a command line.
 */
import { readdirSync } from "node:fs";
import { text } from "node:stream/consumers";

import { messageOf } from "../../../../provider/model/errors";
import type { RegistryConnection } from "../../../../provider/registry/connection";
import type { ImageList } from "../../../../provider/registry/source/imageList";
import { copyTo, pushTo } from "./pushing";

async function main(): Promise<void> {
  const { connection, source, cacheDir, spoolDir } = JSON.parse(await text(process.stdin)) as {
    connection: RegistryConnection;
    source: string | ImageList;
    cacheDir?: string;
    spoolDir?: string;
  };
  try {
    const result =
      typeof source === "string"
        ? await pushTo(connection, source, {
            ...(cacheDir === undefined ? {} : { cacheDir }),
            ...(spoolDir === undefined ? {} : { spoolDir }),
          })
        : await copyTo(connection, source);
    process.stdout.write(
      JSON.stringify({
        failures: result.failures.map(({ error }) => messageOf(error)),
        stats: result.stats,
        spooled: left(spoolDir),
      }),
    );
  } catch (error) {
    process.stdout.write(JSON.stringify({ error: messageOf(error), spooled: left(spoolDir) }));
    process.exitCode = 1;
  }
}

/** What lies in the spool folder, which only this process may see. */
function left(spoolDir: string | undefined): string[] {
  return spoolDir === undefined ? [] : readdirSync(spoolDir);
}

void main();
