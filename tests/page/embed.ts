/**
 * The style and the script of the report page lie in provider/verify/page; the package carries them as texts, so that
 * every way to build or bundle it takes them along. Run this file after a change of one of them: `npm run page`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(__dirname, "..", "..", "provider", "verify", "page");
export const embedded = join(folder, "assets.ts");

/** Without comments, which a reader of the page has no use for: each stands on lines of its own. */
function linesOf(file: string): string[] {
  const text = readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n");
  return text
    .replaceAll(/^\s*\/\*[\s\S]*?\*\/$/gm, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("//"));
}

function constant(name: string, file: string): string {
  const lines = linesOf(file).map((line) => `  ${JSON.stringify(line)},`);
  return `/** ${file}. */\nexport const ${name} = [\n${lines.join("\n")}\n].join("\\n");\n`;
}

export function embeddedText(): string {
  return `// Made of page.css and page.js by \`npm run page\`: change those.\n\n${constant("style", "page.css")}\n${constant("script", "page.js")}`;
}

if (require.main === module) {
  writeFileSync(embedded, embeddedText());
}
