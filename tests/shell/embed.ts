/**
 * The node's program lies in provider/node/script/*.sh; the package carries it as a text, so that every way to build or
 * bundle it takes it along. Run this file after a change of the shell: `npm run shell`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const scriptFolder = join(__dirname, "..", "..", "provider", "node", "script");
export const embedded = join(scriptFolder, "program.ts");

/** program.sh with its parts in place of the lines that name them. Comments stay here: a node has no use for them. */
function assemble(file: string): string[] {
  return readFileSync(join(scriptFolder, file), "utf8")
    .replaceAll("\r\n", "\n")
    .split("\n")
    .filter((line) => line !== "" && !/^\s*#/.test(line))
    .flatMap((line) => {
      const part = /^\. \.\/(\S+)$/.exec(line)?.[1];
      return part === undefined ? [line] : assemble(part);
    });
}

export function embeddedText(): string {
  const lines = assemble("program.sh").map((line) => `  ${JSON.stringify(line)},`);
  return `/** Made of program.sh and its parts by \`npm run shell\`: change those. */\nexport const program = [\n${lines.join("\n")}\n  "",\n].join("\\n");\n`;
}

if (require.main === module) {
  writeFileSync(embedded, embeddedText());
}
