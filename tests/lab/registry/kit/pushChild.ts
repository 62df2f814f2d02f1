/** A push in a process of its own, to be killed. Its arguments come on standard input: a password has no place on a command line. */
import { text } from "node:stream/consumers";
import type { RegistryConnection } from "../../../../provider/registry/connection";
import { pushTo } from "./pushing";

async function main(): Promise<void> {
  const { connection, source, cacheDir } = JSON.parse(await text(process.stdin)) as { connection: RegistryConnection; source: string; cacheDir: string };
  const result = await pushTo(connection, source, { cacheDir });
  process.stdout.write(JSON.stringify({ failures: result.failures.length, stats: result.stats }));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
