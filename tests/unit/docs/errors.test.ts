import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import ts from "typescript";

import { rooms } from "../../../provider/model/codes";
import type { CodeText } from "../../../provider/model/codes/codeText";
import { errorsFile, errorsPage } from "../../run/errorsPage";

const root = join(__dirname, "../../..");
const codes: Record<string, CodeText> = Object.assign({}, ...(Object.values(rooms) as object[])) as never;

/** Codes that no test names, each with why. A code leaves the list when a test asserts it; a new one does not enter. */
const unshown: Record<string, string> = {
  ARCHIVE_CHANGED: "no test changes a file under its reader",
  MIRROR_UNUSABLE: "shown by the codes of the registries below it (tests/e2e/badInput.test.ts)",
  NODE_TIMEOUT: "no test waits for a node that hangs",
  PACKAGE_CHANGED: "no test changes a package between preview and up",
  PUSH_RECORD_REFUSED: "shown by its message (tests/lab/registry/sharing.test.ts)",
  REGISTRY_NO_TAG_LIST: "shown by what is not deleted (tests/lab/registry/sharing.test.ts)",
  REGISTRY_STREAM_SPENT: "never leaves a push: the next pass sends the blob again",
  VERIFICATION_FAILED: "shown by its message (tests/e2e/verification.test.ts)",
};

describe("codes of errors", () => {
  it("docs/errors.md is what `npm run docs` makes of the list", () => {
    assert.equal(readFileSync(errorsFile, "utf8"), errorsPage(), "docs/errors.md is not up to date: npm run docs");
  });

  it("a code stands in one room, and has a cause and a way out of one line each", () => {
    const all = Object.values(rooms).flatMap((room) => Object.keys(room));
    assert.deepEqual([...all].sort(), Object.keys(codes).sort());
    for (const [code, { cause, wayOut }] of Object.entries(codes)) {
      assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
      for (const text of [cause, wayOut]) {
        assert.match(text, /^\S[^\n|]*\.$/, `${code}: ${text}`);
      }
    }
  });

  it("every code is thrown: one that stands nowhere but in the list is none", () => {
    const thrown = new Set(
      sources(["provider", "sdk"])
        .filter((file) => !/model.codes./.test(file))
        .flatMap(made),
    );
    assert.deepEqual(
      Object.keys(codes).filter((code) => !thrown.has(code)),
      [],
    );
  });

  it("every code is asserted by a test, the ones named here excepted", () => {
    const text = sources(["tests"])
      .filter((file) => file !== __filename)
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
    const missing = Object.keys(codes).filter((code) => !new RegExp(`(?<![A-Z_])${code}(?![A-Z_])`).test(text));
    assert.deepEqual(missing.sort(), Object.keys(unshown).sort());
  });
});

function sources(folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
      .map((name) => join(root, folder, name)),
  );
}

/**
 * Codes that a source makes: string literals, also in a choice or an answer of a function, and those that the shell
 * program on the node reports with `fail`. What only compares or matches a code does not make it.
 */
function made(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && !isCompared(node)) {
      found.push(node.text);
    }
    if (ts.isStringLiteral(node) || ts.isTemplateLiteralToken(node)) {
      found.push(...[...node.text.matchAll(/\bfail (NODE_[A-Z_]+)/g)].map((match) => match[1] as string));
    }
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isCompared(node: ts.StringLiteral): boolean {
  const { parent } = node;
  return (
    ts.isLiteralTypeNode(parent) ||
    ts.isCaseClause(parent) ||
    ts.isArrayLiteralExpression(parent) ||
    (ts.isBinaryExpression(parent) && parent.operatorToken.kind !== ts.SyntaxKind.QuestionQuestionToken) ||
    (ts.isCallExpression(parent) && ts.isIdentifier(parent.expression) && parent.expression.text === "isNodeError")
  );
}
